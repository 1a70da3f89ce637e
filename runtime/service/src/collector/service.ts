import { AGENT_PREFIX, toCollector } from '@delos/core';
import { Gauge } from 'prom-client';
import { z } from 'zod';
import type { RunningService, Service, ServiceContext } from '../service.ts';
import { readEnv } from '../service-env.ts';
import { Uplink } from '../uplink.ts';
import { Collector } from './collector.ts';
import { Uploader } from './uploader.ts';

const settings = z.object({
  DELOS_API_URL: z.url(),
  DELOS_CLUSTER: z.string(),
  DELOS_COLLECTOR_TOKEN: z.string(),
  DELOS_NODE: z.string(),
  /** Where the kubelet keeps container logs. */
  DELOS_POD_LOGS: z.string().default('/var/log/pods'),
});

/** The log collector of one node. It reads files, and speaks to the control plane alone. */
export const collectorService: Service = { name: 'collector', start };

async function start(context: ServiceContext): Promise<RunningService> {
  const { log } = context;
  const config = readEnv(settings, context.env);
  const uploader = new Uploader(config.DELOS_API_URL, config.DELOS_COLLECTOR_TOKEN);
  const collector = new Collector({ root: config.DELOS_POD_LOGS, uploader, log });
  const query = new URLSearchParams({ cluster: config.DELOS_CLUSTER, node: config.DELOS_NODE });
  const uplink = new Uplink({
    url: `${config.DELOS_API_URL.replace(/\/+$/, '')}${AGENT_PREFIX}/collect?${query}`,
    token: config.DELOS_COLLECTOR_TOKEN,
    log,
    onOpen: () => undefined,
    onMessage: (text) => {
      const message = toCollector.parse(JSON.parse(text));
      collector.seal(message.jobId, message.podUid, message.attempts);
    },
  });
  new Gauge({
    name: 'delos_collector_logs',
    help: 'Job logs that are followed on this node',
    registers: [context.metrics],
    collect() {
      this.set(collector.size);
    },
  });
  const stop = new AbortController();
  await collector.start();
  const running = uplink.run(stop.signal);
  return {
    unready: async () => collector.problem ?? uplink.problem,
    stop: async () => {
      stop.abort();
      await collector.close();
      uploader.close();
      await running;
    },
  };
}
