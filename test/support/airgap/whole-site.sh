#!/bin/bash
# Runs in a network and a mount namespace of its own: a whole site from one bundle, without a way out. An auxiliary machine (a bare Debian in
# systemd-nspawn) is made and filled, the embedded cluster runs on the images that lie there, and a workstation installs the client from it.
# Then a delta that does not work and one that does are imported and upgraded to, and it is gone back.
# Arguments: work folder (checkout, bundle, keys.json, aux, nspawn, key; broken and next, with a bundle each), the instance, the folders that shall not be seen.
set -eu
work=$1 instance=$2
shift 2
. "$(dirname "$0")/closed-machine.sh"

export HOME=$work/home XDG_CACHE_HOME=$work/cache DELOS_INSTANCE=$instance
unset XDG_STATE_HOME XDG_CONFIG_HOME PULUMI_HOME NODE_COMPILE_CACHE DELOS_LAUNCHER
mkdir -p "$HOME" "$XDG_CACHE_HOME"
cd "$work"
here=10.232.0.1 there=10.232.0.2
bundle=$work/bundle trust=$work/keys.json

# Each step says what it is, so that whoever reads the log of a failure knows where it was.
step() { echo "== $* ($SECONDS s)" >>"$work/steps"; }
delos() { "$work/checkout/delos" "$@" 2>>"$work/delos.log"; }
aux() {
  ssh -i "$work/key" -o StrictHostKeyChecking=no -o UserKnownHostsFile="$work/known" -o LogLevel=ERROR -o BatchMode=yes -o ConnectTimeout=5 \
    "root@$there" "$@"
}

# What a machine has, but for what changes by itself.
listing() {
  find / -xdev \( -path /proc -o -path /sys -o -path /run -o -path /dev -o -path /tmp -o -path '/var/log/*' -o -path '/var/tmp/*' \
    -o -path '/var/lib/systemd/*' -o -path '/var/lib/private*' -o -path '/var/cache/*' -o -path '/var/lib/apt/*' -o -path '/root/.*' \
    -o -path /etc/resolv.conf \) -prune -o -printf '%p %y %m %l\n' | sort
  nft list ruleset
}

step 'a bare Debian on a link of its own'
ip netns add "$instance"
ip link add aux0 type veth peer name host0 netns "$instance"
ip address add $here/24 dev aux0
ip link set aux0 up
ip -n "$instance" address add $there/24 dev host0
ip -n "$instance" link set lo up
ip -n "$instance" link set host0 up
served=
ended() {
  trap - EXIT
  delos down --delete-data --yes >"$work/down.log" 2>&1 || true
  if [ -n "$served" ]; then kill "$served" 2>/dev/null || true; fi
  kill -9 "$machine" 2>/dev/null || true
  for pid in $(ip netns pids "$instance"); do kill -9 "$pid" 2>/dev/null || true; done
  sleep 1
  ip netns delete "$instance" || true
}
LD_LIBRARY_PATH=$NSPAWN_LIBRARIES "$work/nspawn/usr/bin/systemd-nspawn" -D "$work/aux" --boot --network-namespace-path="/run/netns/$instance" \
  --capability=CAP_NET_ADMIN --keep-unit --register=no --machine="$instance" >"$work/aux.log" 2>&1 </dev/null &
machine=$!
trap ended EXIT
for _ in $(seq 120); do if aux true 2>/dev/null; then break; fi; sleep 1; done
aux true

step 'verify'
delos bundle verify "$bundle" --trust "$trust" --json >"$work/verify.json"
delos bundle inspect "$bundle" --trust "$trust" --items >"$work/items"

step 'packages of Debian for it, from the bundle'
delos bundle serve "$bundle" --trust "$trust" --listen $here:5080 >"$work/serve.log" 2>&1 &
served=$!
for _ in $(seq 120); do if (exec 3<>/dev/tcp/$here/5080) 2>/dev/null; then break; fi; sleep 1; done
aux "rm -rf /etc/apt/sources.list.d/* && echo 'deb [trusted=yes] http://$here:5080/files/deb/bookworm ./' >/etc/apt/sources.list"
aux 'apt-get -q -o APT::Sandbox::User=root update && DEBIAN_FRONTEND=noninteractive apt-get -q -y -o APT::Sandbox::User=root install --no-install-recommends python3 nftables' >"$work/apt.log" 2>&1
kill "$served"
served=
aux "$(declare -f listing); listing" >"$work/listing.before"

step 'aux-vm up'
cat >"$work/aux-vm.yaml" <<YAML
domain: aux.site.test
address: $there
ssh: {keyFile: $work/key, hostKey: $(cut -d' ' -f1,2 "$work/aux/etc/ssh/ssh_host_ed25519_key.pub")}
YAML
delos aux-vm up --config "$work/aux-vm.yaml" --bundle "$bundle" --trust "$trust" --json >"$work/aux-vm.json"
authority=$(sed -E 's/.*"authoritiesFile":"([^"]+)".*/\1/' "$work/aux-vm.json")

step 'import'
delos bundle import "$bundle" --trust "$trust" --aux "$work/aux-vm.yaml" --json >"$work/import.json"
delos bundle import "$bundle" --trust "$trust" --aux "$work/aux-vm.yaml" --json >"$work/import-again.json"

step 'up'
echo "nameserver $there" >"$work/resolv.conf"
cat >"$work/delos.yaml" <<YAML
images:
  source: site
  registry: aux.site.test/registry.delos.internal
  mirrors:
    - registry: "*"
      url: https://$there
      only: true
      certificateAuthority: |
$(sed 's/^/        /' "$authority")
network: {authorities: [$authority]}
YAML
delos up --config "$work/delos.yaml" --bundle "$bundle" --trust "$trust" --json >"$work/up.json"
delos kubectl get pods --all-namespaces -o 'jsonpath={range .items[*]}{.metadata.namespace} {range .spec.containers[*]}{.image}{" "}{end}{"\n"}{end}' >"$work/images"

step 'the workstation'
station=$work/station
mkdir -p "$station"
simple=https://aux.site.test/pypi/admin/site/+simple/
env -i PATH="$PATH" HOME="$station" python3 -m pip --isolated --disable-pip-version-check install --no-cache-dir --cert "$authority" --index-url "$simple" \
  --target "$station/client" apolo-cli >"$work/pip.log" 2>&1
delos token --user admin >"$work/token"
url=$(sed -E 's/.*"apiUrl":"([^"]+)".*/\1/' "$work/up.json")
apolo() { env -i PATH="$PATH" HOME="$station" LANG=C.UTF-8 PYTHONPATH="$station/client" python3 -m apolo_cli "$@"; }
apolo config login-with-token "$(cat "$work/token")" "$url" >"$work/login.log" 2>&1
apolo config switch-project default >>"$work/login.log" 2>&1

step 'a job from an image that is pushed to the site'
crane=$(find "$XDG_CACHE_HOME/delos/tools/crane" -type f -name crane | head -1)
base=$(grep -oE 'registry\.delos\.internal/delos/user-base:[0-9a-z.-]+' "$work/items" | head -1)
password=$(delos aux-vm show --config "$work/aux-vm.yaml" --show-password --json | sed -E 's/.*"password":"([^"]+)".*/\1/')
export SSL_CERT_FILE=$authority
echo "$password" | "$crane" auth login aux.site.test --username admin --password-stdin >"$work/crane.log" 2>&1
"$crane" copy "aux.site.test/$base" aux.site.test/team/tool:1 >>"$work/crane.log" 2>&1
unset SSL_CERT_FILE
apolo run aux.site.test/team/tool:1 -- echo "ran from the site" >"$work/job.log" 2>&1

# Images of what is deployed, in a row that does not change by itself.
deployed() {
  "$1/delos" kubectl get deployments,statefulsets,daemonsets --namespace delos \
    -o 'jsonpath={range .items[*]}{.metadata.name} {.spec.template.spec.containers[0].image}{"\n"}{end}' 2>>"$work/delos.log" | sort
}
# A checkout of the next release takes the place of the former; what the command runs on stays.
for each in broken next; do cp -a "$work/checkout/node_modules" "$work/$each/"; done
deployed "$work/checkout" >"$work/deployed.before"

step 'a delta whose scheduler does not start'
"$work/broken/delos" bundle import "$work/broken-bundle" --trust "$trust" --aux "$work/aux-vm.yaml" --json >"$work/import-broken.json" 2>>"$work/delos.log"
"$work/broken/delos" upgrade --config "$work/delos.yaml" --offline --gate-limit 120 --json >"$work/upgrade-broken.json" 2>"$work/upgrade-broken.log" || true
deployed "$work/checkout" >"$work/deployed.back"

step 'a delta with another runtime'
"$work/next/delos" bundle diff "$bundle" "$work/next-bundle" --json >"$work/diff.json" 2>>"$work/delos.log"
"$work/next/delos" bundle import "$work/next-bundle" --trust "$trust" --aux "$work/aux-vm.yaml" --json >"$work/import-next.json" 2>>"$work/delos.log"
"$work/next/delos" upgrade --config "$work/delos.yaml" --offline --json >"$work/upgrade-next.json" 2>>"$work/delos.log"
deployed "$work/next" >"$work/deployed.next"
apolo run aux.site.test/team/tool:1 -- echo "ran after the upgrade" >"$work/job-next.log" 2>&1

step 'back, because somebody asks for it'
"$work/next/delos" upgrade --config "$work/delos.yaml" --rollback --yes --json >"$work/rollback.json" 2>>"$work/delos.log"
deployed "$work/checkout" >"$work/deployed.rolled"
apolo run aux.site.test/team/tool:1 -- echo "ran after the rollback" >"$work/job-rolled.log" 2>&1

step 'uninstall'
echo "$(sent)" >"$work/sent.after"
delos down --delete-data --yes >"$work/down.log"
delos aux-vm destroy --config "$work/aux-vm.yaml" --delete-data --json >"$work/destroy.json"
aux "$(declare -f listing); listing" >"$work/listing.after"
step 'end'
