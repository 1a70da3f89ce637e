/** Ports that several services of the platform have. */
export const PORTS = {
  /** A public face, behind the gateway. */
  http: 8080,
  /** A public face with TLS. */
  https: 8443,
  /** Metrics and health; of the control API, the agent protocol too. */
  internal: 8081,
} as const;

/** Ports of this machine that lead to the gateway, where `delos.yaml` names none. */
export const HOST_PORTS = { http: 8080, https: 8443 } as const;

/** Node ports that the gateway's Service answers on, where the nodes are on this machine. */
export const NODE_PORTS = { http: 30080, https: 30443 } as const;

/** Node port of the name server, in the same place. */
export const DNS_NODE_PORT = 30053;

/** Ports of what the platform stands on. */
export const POSTGRES_PORT = 5432;
export const API_SERVER_PORT = 6443;
export const KUBELET_PORT = 10250;
/** The registry of the embedded node, from which its containerd takes our images. */
export const MIRROR_PORT = 5000;
/** Ports of the way out: one for the platform's Pods, one for jobs. */
export const EGRESS_PORTS = { platform: 3128, jobs: 3129 } as const;
