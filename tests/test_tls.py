"""https by a certificate that openssl has made, with a real player; and as it is replaced."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
import subprocess
from pathlib import Path

import pytest

from onair import arguments, listening, radio
from radio.air.tls import Certificate
from radio.errors import ConfigError


def make(folder: Path, name: str) -> str:
    """Writes cert.pem and key.pem for 127.0.0.1, each at one go; the certificate's fingerprint."""
    made = folder / name
    made.mkdir(parents=True)
    subject = ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    files = ["-keyout", str(made / "key.pem"), "-out", str(made / "cert.pem")]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", *subject, *files],
        check=True,
        capture_output=True,
    )
    for file in ("key.pem", "cert.pem"):
        (made / file).replace(folder / file)
    return fingerprint((folder / "cert.pem").read_text())


def fingerprint(pem: str) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


def shown(url: str) -> str:
    """The fingerprint of the certificate that whoever connects is shown."""
    host, port = url.removeprefix("https://").split(":")
    return fingerprint(ssl.get_server_certificate((host, int(port))))


@pytest.mark.timeout(300)
async def test_it_plays_over_https_and_a_replaced_certificate_is_shown_to_those_who_come_then(tmp_path: Path) -> None:
    first = make(tmp_path, "first")
    files = [f"tls_{own}={tmp_path / file}" for own, file in (("certificate", "cert.pem"), ("key", "key.pem"))]
    words = [*arguments(tmp_path / "state", "bach"), *(word for pair in files for word in ("--set", pair))]
    async with radio("serve", *words) as process:
        url = (await process.said(r"on air at (https://\S+)"))[1]
        trusted = ssl.create_default_context(cafile=tmp_path / "cert.pem")
        async with listening(url) as own:
            own.session.connector._ssl = trusted  # type: ignore[union-attr]
            await own.all_live()
            own.tune_in("/bach.mp3")
            await own.until(lambda s: s["listeners"] == 1)
            player = await asyncio.create_subprocess_exec(
                *("ffmpeg", "-v", "error", "-tls_verify", "0", "-t", "2", "-i", f"{url}/bach.opus", "-f", "null", "-"),
                stderr=subprocess.PIPE,
            )
            _, said = await player.communicate()
            assert (player.returncode, said) == (0, b"")
            assert await asyncio.to_thread(shown, url) == first
            second = make(tmp_path, "second")
            await process.said("cert.pem: read again")
            assert await asyncio.to_thread(shown, url) == second != first
            heard = len(own.tapes["/bach.mp3"].data)
            # The one who listens is not disturbed.
            async with asyncio.timeout(60):
                while len(own.tapes["/bach.mp3"].data) < heard + 20_000:
                    await asyncio.sleep(0.1)
            assert not own.tapes["/bach.mp3"].over
            (tmp_path / "cert.pem").write_text("half a certif")
            await process.said("the certificate stays as it was")
            assert await asyncio.to_thread(shown, url) == second


def test_files_that_do_not_fit_are_refused_and_what_was_read_stays_in_use(tmp_path: Path) -> None:
    make(tmp_path, "first")
    own = Certificate(tmp_path / "cert.pem", tmp_path / "key.pem")
    make(tmp_path / "other", "second")
    (tmp_path / "other" / "key.pem").replace(tmp_path / "key.pem")
    with pytest.raises(ConfigError, match=r"tls_certificate: .*cert\.pem.*key\.pem"):
        own.load()
    client, server = ssl.create_default_context(cafile=tmp_path / "cert.pem"), own.context
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = client.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    other = server.wrap_bio(outgoing, incoming, server_side=True)
    for _ in range(4):
        for side in (one, other):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert one.getpeercert()


def test_an_encrypted_key_is_refused_and_nobody_is_asked(tmp_path: Path) -> None:
    make(tmp_path, "first")
    subprocess.run(
        ["openssl", "ec", "-aes128", "-passout", "pass:secret", "-in", "key.pem", "-out", "locked.pem"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    with pytest.raises(ConfigError, match="encrypted"):
        Certificate(tmp_path / "cert.pem", tmp_path / "locked.pem")
