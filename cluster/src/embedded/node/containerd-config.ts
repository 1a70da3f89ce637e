import { layoutOf, type NodeSpec } from '../spec.ts';

const text = JSON.stringify;

/** containerd's configuration, version 2: understood by 1.6 (Debian 12), 1.7 and, migrated by itself, 2.x. */
export function renderContainerd(spec: NodeSpec): string {
  const layout = layoutOf(spec.state, spec.index);
  const guard = spec.tools.runcGuard;
  return `version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.internal.v1.tracing",
]

[grpc]
  address = "/run/containerd/containerd.sock"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = ${text(spec.images.pause)}
  restrict_oom_score_adj = ${spec.restrictOomScore}
  enable_unprivileged_ports = true
  enable_unprivileged_icmp = true
  tolerate_missing_hugetlb_controller = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"

  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"

      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
${guard === null ? '' : `        BinaryName = ${text(guard)}\n`}
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/run/delos/cni"
    conf_dir = ${text(layout.cniConf)}

  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = ${text(layout.certsD)}
`;
}
