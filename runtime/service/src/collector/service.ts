import { logSink, toCollector } from '@delos/core';
import { Counter, Gauge } from 'prom-client';
import { z } from 'zod';
import { liveSecret } from '../live-secret.ts';
import type { RunningService, Service, ServiceContext } from '../service.ts';
import { readEnv } from '../service-env.ts';
import { agentPrefix, Uplink } from '../uplink.ts';
import { connectionGauge } from '../uplink-metrics.ts';
import { Collector } from './collector.ts';
import { DiskWatch } from './disk-watch.ts';
import { ship } from './search/start.ts';
import { Uploader } from './uploader.ts';

const settings = z.object({
  DELOS_API_URL: z.url(),
  DELOS_CLUSTER: z.string(),
  DELOS_AGENT_PREFIX: agentPrefix,
  DELOS_COLLECTOR_TOKEN_FILE: z.string(),
  DELOS_NODE: z.string(),
  /** Where the kubelet keeps container logs. */
  DELOS_POD_LOGS: z.string().default('/var/log/pods'),
  /** Where lines can be searched; JSON. */
  DELOS_LOG_SINKS: z
    .string()
    .default('[]')
    .transform((text) => z.array(logSink).max(10).parse(JSON.parse(text))),
  /** Bytes that must be free on the node's disk for logs to be carried. */
  DELOS_LOG_MIN_FREE: z.coerce.number().int().nonnegative().default(0),
});

/** The log collector of one node. It reads files, and speaks to the control plane, and to where logs can be searched. */
export const collectorService: Service = { name: 'collector', start };

async function start(context: ServiceContext): Promise<RunningService> {
  const { log } = context;
  const config = readEnv(settings, context.env);
  const sent = new Counter({
    name: 'delos_collector_log_bytes_total',
    help: 'Bytes of job logs that the control API has taken, before compression',
    registers: [context.metrics],
  });
  const token = liveSecret(config.DELOS_COLLECTOR_TOKEN_FILE);
  const base = `${config.DELOS_API_URL.replace(/\/+$/, '')}${config.DELOS_AGENT_PREFIX}`;
  const uploader = new Uploader(base, token, (bytes) => sent.inc(bytes));
  const disk = new DiskWatch({ folder: config.DELOS_POD_LOGS, minFree: config.DELOS_LOG_MIN_FREE });
  const collector = new Collector({ root: config.DELOS_POD_LOGS, uploader, log, disk });
  const query = new URLSearchParams({ cluster: config.DELOS_CLUSTER, node: config.DELOS_NODE });
  const uplink = new Uplink({
    url: `${base}/collect?${query}`,
    token,
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
  new Gauge({
    name: 'delos_collector_held',
    help: '1 while logs are held back because this node has hardly any disk left',
    registers: [context.metrics],
    collect() {
      this.set(disk.isShort ? 1 : 0);
    },
  });
  connectionGauge(context.metrics, uplink);
  const stop = new AbortController();
  await collector.start();
  const running = uplink.run(stop.signal);
  const shipping = ship(
    config.DELOS_LOG_SINKS,
    { root: config.DELOS_POD_LOGS, node: config.DELOS_NODE, factsOf: (jobId) => uploader.facts(jobId), log },
    context.metrics,
    stop.signal,
  );
  // A failed one must not end the process: it is told when the service ends.
  shipping.catch((error: unknown) => log.error({ error }, 'lines cannot be brought to where logs are searched'));
  return {
    unready: async () => collector.problem ?? uplink.problem,
    stop: async () => {
      stop.abort();
      await collector.close();
      uploader.close();
      await running;
      await shipping.catch(() => undefined);
    },
  };
}
