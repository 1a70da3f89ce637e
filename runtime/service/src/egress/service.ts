import { once } from 'node:events';
import { EGRESS_PORTS } from '@delos/core';
import { Counter, Gauge } from 'prom-client';
import { z } from 'zod';
import type { RunningService, Service, ServiceContext } from '../service.ts';
import { readEnv } from '../service-env.ts';
import { egressFront, type Outcome } from './front.ts';
import { SiteProxyClient } from './site-proxy.ts';

const settings = z.object({
  /** URLs of the site's proxy. */
  DELOS_PROXY_HTTP: z.url(),
  DELOS_PROXY_HTTPS: z.url(),
  /** File with `USER:PASSWORD`. It is read at each request, so that a changed one needs no restart. */
  DELOS_PROXY_CREDENTIALS_FILE: z.string().optional(),
  /** File of authorities, PEM. */
  DELOS_AUTHORITIES_FILE: z.string().optional(),
  /** `true`: jobs have a port too. */
  DELOS_EGRESS_JOBS: z.enum(['true', 'false']).default('false'),
  /** In place of the usual ports; 0: any. */
  DELOS_EGRESS_PORT: z.coerce.number().int().default(EGRESS_PORTS.platform),
  DELOS_EGRESS_JOBS_PORT: z.coerce.number().int().default(EGRESS_PORTS.jobs),
});

const OUTCOMES: readonly Outcome[] = ['passed', 'refused', 'proxy-refused', 'away'];

/** The way out: hands requests to the site's proxy, and alone knows its password. */
export const egressService: Service = { name: 'egress', start };

async function start({ env, log, metrics }: ServiceContext): Promise<RunningService> {
  const config = readEnv(settings, env);
  const proxy = new SiteProxyClient({
    url: { http: config.DELOS_PROXY_HTTP, https: config.DELOS_PROXY_HTTPS },
    credentialsFile: config.DELOS_PROXY_CREDENTIALS_FILE,
    authoritiesFile: config.DELOS_AUTHORITIES_FILE,
  });
  const requests = new Counter({
    name: 'delos_egress_requests_total',
    help: 'Requests to go out, by who asked and what became of them',
    labelNames: ['from', 'outcome'],
    registers: [metrics],
  });
  const ports = [
    { of: 'platform', port: config.DELOS_EGRESS_PORT } as const,
    ...(config.DELOS_EGRESS_JOBS === 'true' ? [{ of: 'jobs', port: config.DELOS_EGRESS_JOBS_PORT } as const] : []),
  ];
  const fronts = ports.map(({ of, port }) => {
    for (const outcome of OUTCOMES) requests.inc({ from: of, outcome }, 0);
    const server = egressFront({
      proxy,
      of,
      told: (outcome, facts) => {
        requests.inc({ from: of, outcome });
        // A host and a port; of the path and the query nothing is kept.
        if (outcome !== 'passed') log.warn({ from: of, outcome, ...facts }, 'a request to go out was not passed on');
      },
    });
    return { of, port, server };
  });
  new Gauge({
    name: 'delos_egress_connections',
    help: 'Connections of those who go out, by who they are',
    labelNames: ['from'],
    registers: [metrics],
    async collect() {
      for (const { of, server } of fronts) {
        const count = await new Promise<number>((resolve) => server.getConnections((_error, found) => resolve(found)));
        this.set({ from: of }, count);
      }
    },
  });
  for (const { of, port, server } of fronts) {
    server.listen(port, env.DELOS_LISTEN_HOST ?? '::');
    await once(server, 'listening');
    log.info({ for: of, address: server.address() }, 'the way out is open');
  }
  return {
    // The site's proxy is no reason to be unready: who asks is told what is wrong with it.
    unready: async () => undefined,
    stop: async () => {
      for (const { server } of fronts) {
        server.close();
        server.closeAllConnections();
      }
    },
  };
}
