/** What a node says of itself. */
export interface NodeFacts {
  readonly name: string;
  /** Versions as the kubelet reports them; empty where it does not. */
  readonly kubelet: string;
  readonly kernel: string;
  /** e.g. `containerd://2.1.4` */
  readonly runtime: string;
  /** Its container runtime says that it can. */
  readonly userNamespaces: boolean;
}

/** The first Kubernetes in which the API server keeps `hostUsers` and the kubelet heeds it, unless told otherwise. */
const LEAST = { major: 1, minor: 33 };

/**
 * What keeps a cluster from running Pods in user namespaces of their own, in words, one entry a lack; empty where
 * nothing does. A cluster without nodes lacks them.
 *
 * @param server version of the API server, e.g. `v1.34.4+k3s1`
 * @see https://kubernetes.io/docs/concepts/workloads/pods/user-namespaces/
 */
export function lacksUserNamespaces(server: string, nodes: readonly NodeFacts[]): readonly string[] {
  if (!isEnough(server)) return [`the API server is Kubernetes ${server}`];
  if (nodes.length === 0) return ['there is no node'];
  return nodes.flatMap(({ name, kubelet, kernel, runtime, userNamespaces }) => {
    if (!isEnough(kubelet)) return [`the kubelet of node ${name} is Kubernetes ${kubelet}`];
    return userNamespaces ? [] : [`the runtime of node ${name} offers none (${runtime}, Linux ${kernel})`];
  });
}

function isEnough(version: string): boolean {
  const [, major = '0', minor = '0'] = /^v?(\d+)\.(\d+)/.exec(version) ?? [];
  return Number(major) > LEAST.major || (Number(major) === LEAST.major && Number(minor) >= LEAST.minor);
}
