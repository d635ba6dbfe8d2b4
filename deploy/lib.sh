# Shared by serve.sh and test.sh: the system packages, the virtual environment, and nothing else.
# POSIX sh. Expects $root, the checkout.

SOUNDFONT_PACKAGE=fluid-soundfont-gm
RUN_PACKAGES="libfluidsynth3 $SOUNDFONT_PACKAGE"
TEST_PACKAGES="ffmpeg mpg123 mpv vlc-bin vlc-plugin-base chromium openssl icecast2 nginx-light"
TORCH_CPU_INDEX=https://download.pytorch.org/whl/cpu

venv=$root/.venv

say() { printf 'radio: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi; }

# prepare NAME EXTRAS PACKAGES…: the system packages and .venv with the project and its pinned dependencies.
# A stamp in .venv makes every later call take milliseconds.
prepare() {
    stamp=$venv/.ready-$1
    current="$(cksum "$root/pyproject.toml" "$root/deploy/lib.sh")"
    if [ -x "$venv/bin/radio" ] && "$venv/bin/python" -c '' 2>/dev/null && [ "$(cat "$stamp" 2>/dev/null)" = "$current" ]; then
        return
    fi
    extras=$2
    shift 2
    install_system "$@"
    install_python "$extras"
    printf '%s\n' "$current" >"$stamp"
}

install_system() {
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        [ -n "$(find_python)" ] || die "needs Python 3.11 or newer: install it and run this again"
        say "no apt here, so the system's packages are yours to install if they are missing:"
        say "  Fedora: dnf install fluidsynth-libs fluid-soundfont-gm     (tests: ffmpeg-free mpg123 mpv vlc chromium icecast)"
        say "  Arch:   pacman -S fluidsynth soundfont-fluid               (tests: ffmpeg mpg123 mpv vlc chromium icecast)"
        say "  macOS:  brew install fluid-synth, and any General MIDI soundfont: --soundfont FILE"
        say "'.venv/bin/radio check' says what is missing."
        return
    fi
    missing=
    for package in "$@"; do
        case $(dpkg-query -W -f='${Status}' "$package" 2>/dev/null) in
            *'ok installed') ;;
            *) missing="$missing $package" ;;
        esac
    done
    python=$(find_python)
    if [ -z "$python" ]; then
        command -v python3 >/dev/null || missing="$missing python3 python3-venv"
    elif ! "$python" -c 'import ensurepip' 2>/dev/null; then
        missing="$missing python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
    fi
    [ -n "$missing" ] || return 0
    [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null || die "as root, please: apt-get install --no-install-recommends$missing"
    say "installing$missing"
    # Package lists are fetched only when the ones at hand, perhaps none, will not do.
    # shellcheck disable=SC2086
    apt_install $missing >/dev/null 2>&1 || { as_root apt-get -qq update || true; apt_install $missing; }
}

apt_install() {
    hold_servers
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" && installed=0 || installed=$?
    release_servers
    return "$installed"
}

# Debian starts a server as it is installed: Icecast would take port 8000, nginx port 80. Where there is no policy on
# that, there is one for as long as it takes
# (invoke-rc.d(8), https://people.debian.org/~hmh/invokerc.d-policyrc.d-specification.txt).
policy=/usr/sbin/policy-rc.d
hold_servers() {
    held=
    [ ! -e "$policy" ] || return 0
    printf '#!/bin/sh\ncase " $* " in *" icecast2 "* | *" nginx "*) exit 101 ;; esac\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
    held=yes
    trap 'release_servers; exit 130' INT TERM
}

release_servers() {
    [ -z "$held" ] || as_root rm -f "$policy"
    held=
    trap - INT TERM
}

# find_python: the first interpreter that is new enough, or nothing.
find_python() {
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s\n' "$candidate"
            return
        fi
    done
}

install_python() {
    python=$(find_python)
    if [ -z "$python" ]; then
        die "needs Python 3.11 or newer; here is $(python3 --version 2>/dev/null || echo none). On Ubuntu 22.04: apt-get install python3.11-venv"
    fi
    "$venv/bin/python" -m pip --version >/dev/null 2>&1 || "$python" -m venv --clear "$venv"
    install_torch
    say "installing the Python packages that pyproject.toml pins"
    "$venv/bin/python" -m pip install -q -e "$root$1"
}

# Torch from PyPI brings gigabytes of CUDA on Linux. A machine without an NVIDIA card takes the CPU build, unless
# RADIO_TORCH_INDEX names an index, or pip is configured with sources of its own, which then decide.
install_torch() {
    torch=$(sed -n 's/^ *"\(torch==[^"]*\)".*/\1/p' "$root/pyproject.toml")
    "$venv/bin/python" - "${torch#torch==}" <<'PY' 2>/dev/null && return
import importlib.metadata, sys
sys.exit(importlib.metadata.version("torch").partition("+")[0] != sys.argv[1])
PY
    say "installing $torch (some minutes, once)"
    if [ -n "${RADIO_TORCH_INDEX:-}" ]; then
        "$venv/bin/python" -m pip install -q --no-deps --index-url "$RADIO_TORCH_INDEX" "$torch"
    elif [ "$(uname -s)" = Linux ] && [ ! -e /dev/nvidia0 ] && ! pip_has_sources; then
        "$venv/bin/python" -m pip install -q --no-deps --retries 0 --timeout 10 --index-url "$TORCH_CPU_INDEX" "$torch" ||
            say "no CPU build from $TORCH_CPU_INDEX; taking the usual one (set RADIO_TORCH_INDEX to choose)"
    fi
}

pip_has_sources() { "$venv/bin/python" -m pip config list 2>/dev/null | grep -Eq 'index-url|find-links|no-index'; }
