import type { PartProps } from '../machine/part.ts';
import type { AuxVmConfig } from './config.ts';
import type { Programs } from './programs.ts';
import type { AuxVmSecrets } from './secrets.ts';
import { secretsOf, serviceUnit } from './unit.ts';
import { LOOPBACK, TOKEN_PATH } from './words.ts';

const NAME = 'delos-gateway';
const ETC = '/etc/delos-aux/gateway';
const OPT = '/opt/delos-aux/gateway';

/** The one way to the services: https, each below a path. */
export function gatewayPart(
  config: AuxVmConfig,
  { certificate, key, authorities }: AuxVmSecrets,
  programs: Programs,
): PartProps {
  const program = `${OPT}/caddy`;
  const caddyfile = `${ETC}/Caddyfile`;
  const ca = `${ETC}/public/ca.pem`;
  return {
    name: 'gateway',
    files: {
      [program]: programs.file('caddy'),
      [caddyfile]: { mode: 0o644, content: { text: settings(config, authorities !== '') } },
      [`${ETC}/tls.crt`]: { mode: 0o644, content: { text: certificate } },
      [`${ETC}/tls.key`]: { mode: 0o600, content: { text: key } },
      ...(authorities === '' ? {} : { [ca]: { mode: 0o644, content: { text: authorities } } }),
    },
    units: [
      serviceUnit({
        name: NAME,
        idea: 'Delos: https to the services',
        exec: `${program} run --config ${caddyfile}`,
        port: 443,
        low: true,
        secrets: { 'tls.crt': `${ETC}/tls.crt`, 'tls.key': `${ETC}/tls.key` },
        environment: { HOME: '/tmp', XDG_DATA_HOME: '/tmp', XDG_CONFIG_HOME: '/tmp' },
        // The authorities are read when somebody asks for them.
        reads: [program, caddyfile],
        memory: '256M',
      }),
    ],
  };
}

function settings({ domain, registry, charts, packages }: AuxVmConfig, ownAuthority: boolean): string {
  const to = (port: number): string => `reverse_proxy 127.0.0.1:${port} {
			lb_try_duration 10s
			lb_try_interval 250ms
			flush_interval -1
		}`;
  const blocks = [
    ...(registry.enabled
      ? [`handle ${TOKEN_PATH} {\n\t\t${to(LOOPBACK.tokens)}\n\t}`, `handle /v2/* {\n\t\t${to(LOOPBACK.registry)}\n\t}`]
      : []),
    ...(charts.enabled
      ? [
          `handle_path /charts/* {\n\t\t${to(LOOPBACK.charts)}\n\t}`,
          // Where scripts that know ChartMuseum at its own host look.
          `@upload path /api/charts /api/charts/* /api/prov\n\thandle @upload {\n\t\t${to(LOOPBACK.charts)}\n\t}`,
        ]
      : []),
    ...(packages.enabled
      ? [
          `handle_path /pypi/* {
		reverse_proxy 127.0.0.1:${LOOPBACK.packages} {
			lb_try_duration 10s
			lb_try_interval 250ms
			header_up X-Outside-Url https://{http.request.hostport}/pypi
		}
	}`,
        ]
      : []),
    ...(ownAuthority ? [`handle /ca.pem {\n\t\troot * ${ETC}/public\n\t\tfile_server\n\t}`] : []),
    `handle /health {\n\t\trespond "ok" 200\n\t}`,
    `handle {\n\t\trespond "There is nothing here." 404\n\t}`,
  ];
  const tls = secretsOf(NAME);
  return `{
	admin off
	persist_config off
	auto_https off
	default_sni ${domain}
	fallback_sni ${domain}
	grace_period 10s
	log default {
		level WARN
	}
	servers {
		protocols h1 h2
		max_header_size 32768
		timeouts {
			read_header 10s
			idle 1m
		}
	}
}

https://:443 {
	tls ${tls}/tls.crt ${tls}/tls.key
	${blocks.join('\n\t')}
}
`;
}
