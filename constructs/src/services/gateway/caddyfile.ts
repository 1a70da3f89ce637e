import { BODY_TOO_LARGE, MAX_BODY_BYTES } from '@delos/core';
import { PORTS } from '../../base/names.ts';
import type { Route } from '../../base/route.ts';
import { type Http2Below, handedOver, siteOfHttp2 } from './http2.ts';

/** Folder of the Caddyfile and of all files beside it. */
export const CONFIG_FOLDER = '/etc/caddy';
/** Folder of the certificate and its key. */
export const TLS_FOLDER = '/etc/caddy-tls';
/** Folder of a certificate and its key that may come later, and then stand above the others. */
export const LATER_FOLDER = '/etc/caddy-tls-later';
/** Folder, in memory, of the certificate and key that are served. */
export const SERVED_FOLDER = '/run/certificate';
/** Port of the Pod's loopback at which the gateway asks for its certificate. */
export const CERTIFICATE_PORT = 8442;

export interface CaddyfileProps {
  /** What answers on the plain http port. `none`: nothing listens. */
  readonly http: 'serve' | 'redirect' | 'none';
  /** Public host name, for clients that send none in their TLS hello. */
  readonly domain: string;
  /** Whether Caddy has the transport `watched` (artifacts/go/caddy/watched). */
  readonly watched: boolean;
  readonly upstreams: readonly Upstream[];
  /** Who takes connections of HTTP/2. @default nobody: HTTP/1.1 is spoken alone */
  readonly http2?: Http2Below;
}

/** A service behind the gateway, and the requests that go to it. */
export interface Upstream extends Omit<Route, 'port' | 'asks' | 'hosts'> {
  /** Different for each. */
  readonly name: string;
  /** DNS name inside the cluster. */
  readonly host: string;
  readonly port: number;
  /** Requests to names below this domain, however many labels, and no others. @default all that no other upstream has */
  readonly below?: string;
  /** Who is asked first. @default nobody */
  readonly asks?: { readonly host: string; readonly port: number; readonly path: string };
}

/**
 * Limits of the gateway. The services behind it have their own (runtime/service/src/edge/server-limits.ts), some shorter.
 */
export const GATEWAY_LIMITS = {
  /** From the connection, or from the answer before, to the end of a request's headers. */
  header: '10s',
  /**
   * From the beginning of a request to the end of its body. Caddy ends a longer answer as well, WebSockets excepted: the
   * services answer within this time. A route may ask for more, and all then have it: Caddy knows one limit.
   */
  request: '15m',
  /** A body is cut off when it stalls for so long, or is that much behind its least rate. */
  bodyStall: '20s',
  /** Bytes a second. */
  bodyRate: 8192,
  /**
   * From the end of a request to the head of its answer. A route may ask for more. Streams and WebSockets have their head at
   * once.
   */
  answer: '2m',
  /**
   * A service that has gone without a word, with its node or its address, is not waited for: what it acknowledges nothing of for
   * so long ends, and is sent again where that does no harm.
   */
  lost: '15s',
  /** An answer is cut off when its client takes nothing for so long. */
  answerStall: '1m',
  /** Of a connection between two requests. */
  idle: '1m',
  headerBytes: 16_384,
  /**
   * Open files of the gateway, and so connections to it and from it. More wait until others end. Each takes up to 70 KiB
   * with TLS and the longest header, measured, so that all of them fit in the gateway's 256 MiB.
   */
  openFiles: 2048,
  /** Requests and streams under way at one service. More wait, and are answered 503 after 15 s. */
  underWay: 900,
} as const;

/** The one origin: what is routed is listed, all else is not found. `/internal`, metrics and health are not in the list. */
export function caddyfile(props: CaddyfileProps): string {
  const http = {
    serve: `http://:${PORTS.http} {\n\timport site\n}\n`,
    redirect: `http://:${PORTS.http} {\n\tredir https://{host}{uri} 308\n}\n`,
    none: '',
  }[props.http];
  const { http2 } = props;
  const limits = serverLimits(props.upstreams);
  return `{
	admin off
	persist_config off
	auto_https off
	default_sni ${props.domain}
	fallback_sni ${props.domain}
	grace_period 10s
	metrics
	# Queries and headers carry codes, tokens and cookies: no log has them, be it of access or of errors.
	log default {
		format filter {
			wrap json
			fields {
				request>uri regexp [?].* ?-
				request>headers delete
				resp_headers delete
			}
		}
	}
	# One connection of HTTP/2 takes megabytes: it has many streams, each with headers and a window.
	servers {
		protocols h1
${limits}	}
${http2 === undefined ? '' : handedOver(http2, limits)}}

# Streams and WebSockets pass as they come. A service that restarts is waited for instead of answering 502.
(upstream) {
	flush_interval -1
	lb_try_duration 15s
	lb_try_interval 250ms
	header_up X-Request-Id {http.request.uuid}
	header_down X-Request-Id {http.request.uuid}
	stream_close_delay 5m
	unhealthy_request_count {args[1]}
	transport ${props.watched ? `watched {\n\t\tlost_after ${GATEWAY_LIMITS.lost}` : 'http {'}
		dial_timeout 5s
		keepalive 60s
		versions 1.1
		response_header_timeout {args[0]}
	}
}

# A body that is too large never gets to a service, which would hang up while it is still being sent.
(limited) {
	@oversized expression \`{http.request.header.Content-Length}.matches("^[0-9]+$") && int({http.request.header.Content-Length}) > {args[0]}\`
	error @oversized 413
	request_body {
		max_size {args[0]}
	}
}

(site) {
	log
${[...props.upstreams]
  .sort((a, b) => rank(a) - rank(b) || leastPath(b) - leastPath(a))
  .map(routed)
  .join('')}	handle / {
		header Cache-Control no-cache
		rewrite * /index.html
		root * ${CONFIG_FOLDER}
		file_server
	}
	handle {
		respond "not found" 404
	}
	handle_errors 413 {
		header Content-Type application/json
${props.upstreams.map(tooLargeThere).join('')}		respond \`${JSON.stringify({ error: BODY_TOO_LARGE, code: 'ERR_REQUEST' })}\` 413
	}
}

${http}
(certificate) {
	get_certificate http http://127.0.0.1:${CERTIFICATE_PORT}/{$CERTIFICATE_PATH}
}

https://:${PORTS.https} {
	tls {
${http2 === undefined ? '' : '\t\talpn http/1.1\n'}		import certificate
	}
	import site
}
${http2 === undefined ? '' : siteOfHttp2(http2)}
http://:${PORTS.internal} {
	handle /health/* {
		respond 200
	}
	# Its own metrics, and when the certificate ends that it shows: a file that includes the others.
	handle /metrics {
		root * ${SERVED_FOLDER}
		rewrite * /metrics.txt
		templates {
			mime text/plain
		}
		file_server
	}
	handle /metrics/caddy {
		metrics {
			disable_openmetrics
		}
	}
}
`;
}

/** As Caddy writes it. */
function requestTime(upstreams: readonly Upstream[]): string {
  const hours = Math.max(0, ...upstreams.map(({ requestHours = 0 }) => requestHours));
  return hours === 0 ? GATEWAY_LIMITS.request : `${hours}h`;
}

function serverLimits(upstreams: readonly Upstream[]): string {
  return `		max_header_size ${GATEWAY_LIMITS.headerBytes}
		timeouts {
			read_header ${GATEWAY_LIMITS.header}
			read_body ${requestTime(upstreams)}
			read_body_idle ${GATEWAY_LIMITS.bodyStall} ${GATEWAY_LIMITS.bodyRate}
			write_idle ${GATEWAY_LIMITS.answerStall}
			idle ${GATEWAY_LIMITS.idle}
		}
`;
}

/** What asks for more goes first: another route would take its requests. */
function rank({ below, method, authorization, fallback, paths }: Upstream): number {
  if (below !== undefined) return -1;
  if (method !== undefined) return 0;
  if (fallback === true) return 4;
  if (paths.every((path) => !path.includes('*'))) return 1;
  return authorization === undefined ? 3 : 2;
}

/** A part of what another route takes goes before that. */
const leastPath = ({ paths }: Upstream): number => Math.min(...paths.map(({ length }) => length));

function routed(upstream: Upstream): string {
  const { name, paths, method, authorization, pattern, host, port, maxBodyBytes, asks } = upstream;
  const { answerMinutes, mostUnderWay = GATEWAY_LIMITS.underWay } = upstream;
  const matcher = [
    ...hostLine(upstream),
    ...(method === undefined ? [] : [`method ${method}`]),
    ...(authorization === undefined ? [] : [`header Authorization "${authorization} *"`]),
    `path ${paths.join(' ')}`,
    ...(pattern === undefined ? [] : [`path_regexp ${pattern}`]),
  ];
  return `	@${name} {
${matcher.map((line) => `\t\t${line}\n`).join('')}	}
	handle @${name} {
		import limited ${maxBodyBytes ?? MAX_BODY_BYTES}
${asks === undefined ? '' : askedFirst(asks)}		reverse_proxy ${host}:${port} {
			import upstream ${answerMinutes === undefined ? GATEWAY_LIMITS.answer : `${answerMinutes}m`} ${mostUnderWay}
		}
	}
`;
}

/** With whatever case, port and dot at its end: what is below the domain is never the platform's own origin. */
const hostLine = ({ below }: Upstream): readonly string[] =>
  below === undefined ? [] : [`header_regexp Host (?i)(^|\\.)${below.replaceAll('.', '\\.')}\\.?(:[0-9]*)?$`];

const askedFirst = ({ host, port, path }: NonNullable<Upstream['asks']>): string => `		forward_auth ${host}:${port} {
			uri ${path}
			copy_headers Authorization
			import upstream ${GATEWAY_LIMITS.answer} ${GATEWAY_LIMITS.underWay}
		}
`;

/** Refuses a body that is larger than the route’s own limit, and names the limit. */
function tooLargeThere(upstream: Upstream): string {
  const { name, paths, maxBodyBytes } = upstream;
  if (maxBodyBytes === undefined) return '';
  const error = `the request is larger than ${maxBodyBytes / 2 ** 20} MiB, the most that is taken here`;
  const matcher = [...hostLine(upstream), `path ${paths.join(' ')}`];
  return `		@${name}-large {
${matcher.map((line) => `\t\t\t${line}\n`).join('')}		}
		respond @${name}-large \`${JSON.stringify({ error, code: 'ERR_REQUEST' })}\` 413
`;
}
