"""TLS by a certificate's files, which are read again as they change: whoever comes then is shown the new one."""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path

from radio.errors import ConfigError

log = logging.getLogger(__name__)

LOOK = 2.0
"""Seconds from one look at the files to the next."""


class Certificate:
    """A certificate with those that vouch for it, and its key, in PEM; without a key file, the key is in the same one.

    Raises:
        ConfigError: the files are no certificate and its key.
    """

    def __init__(self, certificate: Path, key: Path | None) -> None:
        self.certificate, self.key = certificate, key or certificate
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._seen: object = None
        self.load()

    def load(self) -> None:
        """Reads the files; those who are connected stay so.

        Raises:
            ConfigError: they do not fit together, and what was read before is still in use.
        """
        self._seen = self._stamps()
        # A key that does not fit would take away the one in use: they are tried apart first.
        for context in (ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), self.context):
            try:
                context.load_cert_chain(self.certificate, self.key, password=_no_password)
            except (OSError, ValueError) as error:
                raise ConfigError([f"tls_certificate: {self.certificate}, with {self.key}: {error}"]) from error

    async def watch(self) -> None:
        """Reads the files whenever they change, until cancelled."""
        while True:
            await asyncio.sleep(LOOK)
            if self._stamps() != self._seen:
                try:
                    self.load()
                    log.info("%s: read again", self.certificate)
                except ConfigError as error:
                    log.error("the certificate stays as it was: %s", error)

    def _stamps(self) -> object:
        """What is another as soon as a file is."""
        found = []
        for path in (self.certificate, self.key):
            try:
                status = path.stat()
                found.append((status.st_mtime_ns, status.st_ino, status.st_size))
            except OSError:
                found.append((0, 0, 0))
        return found


def _no_password() -> str:
    raise ValueError("the key is encrypted, and there is nobody to ask for its password")
