#!/bin/sh
# Put the station on the air: `sh deploy/serve.sh [options of radio serve]`. Installs what is missing, once.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$root/deploy/lib.sh"
# shellcheck disable=SC2086
prepare run '' $RUN_PACKAGES
exec "$venv/bin/radio" serve "$@"
