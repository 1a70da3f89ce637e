import { GATEWAY_HOST } from '@delos/core';

/** Folder of the files of the ConfigMap. */
export const CONFIG = '/etc/dns';
/** Ports of its Pods: what outside is answered, what the cluster is answered. */
export const POD_PORTS = { outside: 1053, inside: 1054, health: 8180, ready: 8181, metrics: 9153 } as const;

/**
 * CoreDNS's configuration. Outside the zone is answered as it is, and nothing else is: a server without a zone refuses. Inside
 * the names of the entrance are the gateway's Service, whose address the cluster's own DNS knows; it is asked for that one name.
 * @see https://coredns.io/plugins/file/
 */
export const corefile = (domain: string): string => {
  const escaped = domain.replaceAll('.', '\\.');
  return `${domain}:${POD_PORTS.outside} {
    errors
    health :${POD_PORTS.health}
    ready :${POD_PORTS.ready}
    prometheus :${POD_PORTS.metrics}
    bufsize 1232
    any
    file ${CONFIG}/zone
}
${domain}:${POD_PORTS.inside} {
    errors
    prometheus :${POD_PORTS.metrics}
    rewrite stop name regex ^([^.]+\\.((jobs|apps)\\.)?)?${escaped}\\.$ ${GATEWAY_HOST} answer auto
    forward ${GATEWAY_HOST} /etc/resolv.conf {
        max_concurrent 500
    }
    cache 30
}
`;
};
