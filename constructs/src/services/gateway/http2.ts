import { PORTS } from '../../base/names.ts';

/** A service that takes connections of HTTP/2 to names one label below a domain, whole. */
export interface Http2Below {
  readonly below: string;
  /** DNS name inside the cluster. */
  readonly host: string;
  readonly port: number;
}

/**
 * Those that agree on HTTP/2 never get to Caddy's own server.
 * @param limits of every server
 */
export const handedOver = ({ host, port }: Http2Below, limits: string): string => `	servers :${PORTS.https} {
		protocols h1 h2
		listener_wrappers {
			handover ${host}:${port}
		}
${limits}	}
`;

/** The same routes, by HTTP/1.1; in TLS, names below the domain are offered HTTP/2 too. */
export const siteOfHttp2 = ({ below }: Http2Below): string => `
https://*.${below}:${PORTS.https} {
	tls {
		alpn h2 http/1.1
		import certificate
	}
	import site
}
`;
