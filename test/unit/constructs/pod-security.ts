/*
 * Pod Security Standards, level `restricted`, after the upstream table
 * (kubernetes.io/docs/concepts/security/pod-security-standards): what a Pod may not be, control by control.
 */

type Fields = Readonly<Record<string, unknown>>;

const fields = (value: unknown): Fields => (typeof value === 'object' && value !== null ? (value as Fields) : {});
const list = (value: unknown): readonly Fields[] => (Array.isArray(value) ? value.map(fields) : []);

/** Volume types that `restricted` leaves. */
const VOLUMES = new Set([
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'persistentVolumeClaim',
  'projected',
  'secret',
]);

/** Settings of the kernel that `restricted` leaves: those of the upstream table. */
const SYSCTLS = new Set([
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.ping_group_range',
  'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
]);

/** What is wrong with a Pod's spec, empty when `restricted` admits it. */
export function restrictedFaults(podSpec: unknown): readonly string[] {
  const pod = fields(podSpec);
  const security = fields(pod.securityContext);
  const containers = [...list(pod.initContainers), ...list(pod.containers), ...list(pod.ephemeralContainers)];
  return [
    ...['hostNetwork', 'hostPID', 'hostIPC'].filter((field) => pod[field] === true),
    ...list(security.sysctls).flatMap(({ name }) => (SYSCTLS.has(String(name)) ? [] : [`sysctl ${String(name)}`])),
    ...list(pod.volumes).flatMap((volume) =>
      Object.keys(volume)
        .filter((key) => key !== 'name' && !VOLUMES.has(key))
        .map((key) => `volume ${String(volume.name)}: ${key}`),
    ),
    ...containers.flatMap((container) =>
      containerFaults(container, security).map((fault) => `${String(container.name)}: ${fault}`),
    ),
  ];
}

function containerFaults(container: Fields, pod: Fields): readonly string[] {
  const own = fields(container.securityContext);
  const capabilities = fields(own.capabilities);
  const dropped = Array.isArray(capabilities.drop) ? capabilities.drop : [];
  const added = Array.isArray(capabilities.add) ? capabilities.add : [];
  const seccomp = fields(own.seccompProfile ?? pod.seccompProfile).type;
  const user = own.runAsUser ?? pod.runAsUser;
  return [
    ...(own.privileged === true ? ['privileged'] : []),
    ...(own.allowPrivilegeEscalation === false ? [] : ['allowPrivilegeEscalation']),
    ...(dropped.includes('ALL') ? [] : ['capabilities are not dropped']),
    ...(added.every((name) => name === 'NET_BIND_SERVICE') ? [] : ['capabilities are added']),
    ...((own.runAsNonRoot ?? pod.runAsNonRoot) === true ? [] : ['runAsNonRoot']),
    ...(user === 0 ? ['runAsUser 0'] : []),
    ...(seccomp === 'RuntimeDefault' || seccomp === 'Localhost' ? [] : ['seccompProfile']),
    ...(own.procMount === undefined || own.procMount === 'Default' ? [] : ['procMount']),
    ...list(container.ports)
      .filter(({ hostPort }) => hostPort !== undefined && hostPort !== 0)
      .map(() => 'hostPort'),
  ];
}
