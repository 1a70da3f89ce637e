#!/bin/sh
# First process of an embedded node: PID 1 of its own PID, mount and network namespaces. It lays out the file system,
# waits for its end of the veth pair, and keeps the supervisor running; as PID 1 it also reaps what others leave behind.
# Everything here is undone by the kernel when this process ends.
# usage: node-init.sh MARKER STATE INDEX HOME SCRATCH NODE SUPERVISOR POD_GATEWAY POD_CIDR CNI_PLUGINS [CNI_GATE]
set -eu
state=$2 index=$3 home=$4 scratch=$5 node=$6 supervisor=$7 gateway=$8 pods=$9
shift 9
plugins=$1 gate=${2-}

mount --make-rprivate /

# /var/lib is laid out anew: the machine's own entries, and this node's folders in the usual places.
mount -t tmpfs -o mode=0755,size=16m delos "$scratch"
mkdir "$scratch/lib" "$scratch/cgroup"
for entry in /var/lib/*; do
  name=${entry##*/}
  case $name in kubelet | containerd | cni | delos-volumes) continue ;; esac
  if [ -d "$entry" ] && [ ! -L "$entry" ]; then
    mkdir "$scratch/lib/$name"
    mount --rbind "$entry" "$scratch/lib/$name"
  fi
done
mkdir "$scratch/lib/kubelet" "$scratch/lib/containerd" "$scratch/lib/cni" "$scratch/lib/delos-volumes"
mount --bind "$home/kubelet" "$scratch/lib/kubelet"
mount --bind "$home/containerd" "$scratch/lib/containerd"
mount --bind "$home/cni" "$scratch/lib/cni"
mount --bind "$home/volumes" "$scratch/lib/delos-volumes"
mount --bind "$home/log" /var/log

# A fresh sysfs shows this network namespace; the machine's cgroups stay.
mount --rbind /sys/fs/cgroup "$scratch/cgroup"
mount -t sysfs -o nosuid,nodev,noexec sysfs /sys
mount --rbind "$scratch/cgroup" /sys/fs/cgroup
umount -l "$scratch/cgroup"
mount --rbind "$scratch/lib" /var/lib

mount -t tmpfs -o mode=0755,size=128m delos /run
mkdir -p /run/netns /run/containerd /run/lock /run/delos/cni
for plugin in "$plugins"/*; do ln -s "$plugin" "/run/delos/cni/${plugin##*/}"; done
[ -z "$gate" ] || ln -s "$gate" /run/delos/cni/delos-cni-gate
mount --make-rshared /

ip link set lo up
# `host` makes the veth pair, writes the node's table, and gives eth0 its address and route.
tries=0
until grep -q "^eth0	00000000" /proc/net/route; do
  tries=$((tries + 1))
  [ "$tries" -lt 3000 ] || { echo "eth0 got no route within 60 s" >&2; exit 1; }
  sleep 0.02
done
# The Pods' gateway has to be there before and after all Pods; addresses without a Pod end here.
ip addr replace "$gateway/32" dev lo
ip route replace unreachable "$pods"
for setting in net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0; do
  echo "${setting#*=}" > "/proc/sys/$(echo "${setting%%=*}" | tr . /)"
done

set +e
while :; do
  "$node" "$supervisor" "$state" "$index"
  echo "the supervisor ended with $?; it starts again" >&2
  sleep 0.5
done
