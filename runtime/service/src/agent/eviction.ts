/** Names for people of the resources that a kubelet may be short of. */
const RESOURCES: Readonly<Record<string, string>> = {
  'ephemeral-storage': 'disk space',
  inodes: 'room for further files (inodes)',
  memory: 'memory',
  pids: 'process ids',
};

/**
 * Why the kubelet evicted a job's Pod, from the kubelet's own words.
 * @see https://github.com/kubernetes/kubernetes/blob/v1.34.4/pkg/kubelet/eviction/helpers.go
 */
export function explainEviction(message: string): string {
  const total = /^Pod ephemeral local storage usage exceeds the total limit of containers (\S+?)\.\s*$/.exec(message);
  const own = total ?? /^Container \S+ exceeded its local ephemeral storage limit "([^"]+)"\.\s*$/.exec(message);
  if (own !== null) {
    return `it used more local disk than its preset has (${readable(own[1] ?? '')}); choose a preset with more disk, or write to a volume`;
  }
  const shm = /^Usage of EmptyDir volume "shm" exceeds the limit "([^"]+)"/.exec(message);
  if (shm !== null) return `it wrote more to /dev/shm than its preset has memory (${readable(shm[1] ?? '')})`;
  const low = /^The node was low on resource: ([a-z-]+)\./.exec(message);
  if (low === null) return `its node put it out: ${message || 'Evicted'}`;
  const name = low[1] ?? '';
  // Of the containers that the kubelet lists, a job has one.
  const used = /Container \S+ was using (\S+), request is /.exec(message)?.[1];
  const share = used === undefined ? '' : `, of which it used ${readable(used)}`;
  return `its node was short of ${RESOURCES[name] ?? name}${share}; jobs are ended there before the platform`;
}

/**
 * Writes a plain number of bytes, which Kubernetes tells in many digits, with a suffix. A number that has one stays as
 * it is.
 */
function readable(quantity: string): string {
  const bytes = Number(quantity);
  if (!Number.isSafeInteger(bytes) || bytes < 2 ** 20) return quantity;
  return `${Math.round(bytes / 2 ** 20)}Mi`;
}
