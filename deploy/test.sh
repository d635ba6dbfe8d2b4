#!/bin/sh
# Every check of the project: `sh deploy/test.sh [options of pytest]`. Installs what is missing, once.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$root/deploy/lib.sh"
if grep -q '^ID=ubuntu' /etc/os-release 2>/dev/null; then
    TEST_PACKAGES="ffmpeg mpg123 mpv vlc-bin vlc-plugin-base openssl icecast2 nginx-light" # Ubuntu has Chromium as a snap only; without it the page's tests are skipped
fi
# shellcheck disable=SC2086
prepare test '[test]' $RUN_PACKAGES $TEST_PACKAGES
cd "$root"
"$venv/bin/ruff" check .
"$venv/bin/ruff" format --check .
"$venv/bin/mypy"
# What plays in real time has the machine to itself, and a second chance, for a neighbour of a virtual machine may take
# its cores. Exit 5 says that no test was asked for, which is an error only if it holds of both.
side=0 alone=0
"$venv/bin/python" -m pytest -n 2 -m "not alone" "$@" || side=$?
[ $side -eq 0 ] || [ $side -eq 5 ] || exit $side
"$venv/bin/python" -m pytest -m alone "$@" || "$venv/bin/python" -m pytest -m alone --last-failed "$@" || alone=$?
[ $alone -ne 5 ] || alone=$side
exit $alone
