# Sourced by scripts that run in a network and a mount namespace of their own: makes them a machine without a route, and whose caches, package tools
# and resolvers of names are those of nobody. Whatever leaves by its one interface is counted; the control goes before the route is taken away.
# Needs: work (a folder), and as arguments the folders that shall not be seen.

ip link set lo up
# /sys tells of the links of the network that it was mounted in.
mkdir -p "$work/cgroup"
mount --rbind /sys/fs/cgroup "$work/cgroup"
mount -t sysfs sysfs /sys
mount --rbind "$work/cgroup" /sys/fs/cgroup
umount --lazy "$work/cgroup"
ip link add out0 type veth peer name nowhere0
for link in out0 nowhere0; do
  echo 1 >"/proc/sys/net/ipv6/conf/$link/disable_ipv6"
  ip link set "$link" up
done
ip address add 192.0.2.2/24 dev out0
ip neighbour add 192.0.2.1 lladdr 02:00:00:00:00:01 dev out0 nud permanent
ip route add default via 192.0.2.1 dev out0

# Names are asked for where nobody answers, and where no route leads to.
echo nameserver 198.51.100.53 >"$work/resolv.conf"
mount --bind "$work/resolv.conf" /etc/resolv.conf
for folder in "$@"; do
  if [ -d "$folder" ]; then mount -t tmpfs tmpfs "$folder"; fi
done
# Programs that fetch: whoever calls one is written down, and gets nothing.
printf '#!/bin/sh\necho "$0 $*" >>%s\nexit 97\n' "$work/fetched" >"$work/fetches"
chmod 755 "$work/fetches"
for name in npm npx go mvn pip pip3 curl wget buildah mmdebstrap skopeo; do
  for path in $(type -ap "$name"); do mount --bind "$work/fetches" "$(readlink -f "$path")" 2>/dev/null || true; done
done

sent() { ip -s -j link show out0 | sed -E 's/.*"tx":\{"bytes":[0-9]+,"packets":([0-9]+).*/\1/'; }
echo "$(sent)" >"$work/sent.before"
# The control: one datagram to an address that is nowhere.
echo control >/dev/udp/198.51.100.1/9
echo "$(sent)" >"$work/sent.control"
# From here on there is no route: nothing leaves, and whatever leans on an answer from outside fails.
ip route delete default
