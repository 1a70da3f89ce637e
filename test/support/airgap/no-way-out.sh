#!/bin/bash
# Runs in a network and a mount namespace of its own: the embedded cluster from a bundle, on a closed machine.
# Arguments: work folder (checkout, bundle, keys.json), the instance, the folders that shall not be seen.
set -eu
work=$1 instance=$2
shift 2

. "$(dirname "$0")/closed-machine.sh"

export HOME=$work/home XDG_CACHE_HOME=$work/cache DELOS_INSTANCE=$instance
unset XDG_STATE_HOME XDG_CONFIG_HOME PULUMI_HOME NODE_COMPILE_CACHE DELOS_LAUNCHER
mkdir -p "$HOME" "$XDG_CACHE_HOME"
cd "$work"
trap '"$work/checkout/delos" down --delete-data --yes >"$work/down.log" 2>&1 || true' EXIT
"$work/checkout/delos" up --bundle "$work/bundle" --trust "$work/keys.json" --json >"$work/up.json" 2>"$work/up.log"
"$work/checkout/delos" status --json >"$work/status.json" 2>"$work/status.log"
wheels=$(sed -E 's/.*"wheels":"([^"]+)".*/\1/' "$work/up.json")
python3 -m pip --isolated --disable-pip-version-check install --no-index --find-links "$wheels" --target "$work/client" apolo-cli >"$work/pip.log" 2>&1
PYTHONPATH=$work/client python3 -m apolo_cli --version >"$work/client.version"
echo "$(sent)" >"$work/sent.after"
