import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { AGENT_PREFIX, type FromAgent, type NodeReport, toAgent } from '@delos/core';
import { KubeClient, kubeconfigAccess, podAccess, Reflector } from '@delos/kube';
import { Gauge } from 'prom-client';
import { z } from 'zod';
import { detach, every, guard } from '../edge/guard.ts';
import { imageSource, registryList } from '../image-source.ts';
import type { RunningService, Service, ServiceContext } from '../service.ts';
import { readEnv } from '../service-env.ts';
import { Uplink } from '../uplink.ts';
import { JobKeeper } from './jobs/keeper.ts';
import { PodEvents } from './jobs/pod-events.ts';
import {
  eventShape,
  type Node,
  nodeShape,
  type Pod,
  type PodUsage,
  podShape,
  podUsageShape,
} from './jobs/pod-shape.ts';
import { ProjectEvents } from './jobs/project-events.ts';
import { CLUSTER_LABEL, JOB_LABEL } from './labels.ts';
import { PRIVATE_CIDRS } from './namespaces/manifests.ts';
import { Namespaces } from './namespaces/namespaces.ts';
import { closedNetworks, dnsServers } from './node-addresses.ts';
import { nodeReports } from './nodes/reports.ts';
import { logProblem } from './problems.ts';
import { openStream } from './streams/streams.ts';

const settings = z.object({
  DELOS_API_URL: z.url(),
  DELOS_CLUSTER: z.string(),
  DELOS_AGENT_TOKEN: z.string(),
  /** Where the gateway runs. */
  POD_NAMESPACE: z.string().default('delos'),
  /** The only pool of the configuration, where it has one alone: nodes without a pool's label belong to it. */
  DELOS_ONLY_POOL: z.string().optional(),
  /** Manifest digest of an image that stands in for another → what it really is, JSON. */
  DELOS_STAND_INS: z
    .string()
    .default('{}')
    .transform((text): unknown => JSON.parse(text))
    .pipe(z.record(z.string(), z.string())),
  DELOS_DENIED_CIDRS: z
    .string()
    .transform((text) => text.split(',').map((item) => item.trim()))
    .default([...PRIVATE_CIDRS]),
  /** `HOST[:PORT]`, separated by commas: registries that jobs may use wherever they are. */
  DELOS_ALLOWED_REGISTRIES: z.string().default('').transform(registryList),
  DELOS_VERSION: z.string().default('0.1.0'),
});

/** Node reports are repeated this often: they also say that the agent lives. */
const REPORT_MS = 10_000;
const SWEEP_MS = 5_000;
/** Of a page of 500 objects, and of the agent's memory a part. */
const ANSWER_BYTES = 64 * 2 ** 20;

/** The cluster agent: the only part that speaks to the Kubernetes API server. */
export const agentService: Service = { name: 'agent', start };

async function start(context: ServiceContext): Promise<RunningService> {
  const { env, log } = context;
  const config = readEnv(settings, env);
  const apiUrl = config.DELOS_API_URL.replace(/\/+$/, '');
  const cluster = config.DELOS_CLUSTER;
  // The official client library would take more memory than all of the agent: it is not used here.
  const access = env.DELOS_KUBECONFIG === undefined ? await podAccess(env) : kubeconfigAccess(env.DELOS_KUBECONFIG);
  const client = new KubeClient(access, { fieldManager: 'delos-agent', maxBytes: ANSWER_BYTES });
  const namespaces = new Namespaces(client, {
    platformNamespace: config.POD_NAMESPACE,
    // The agent asks where every Pod does.
    dnsAddresses: dnsServers(await readFile('/etc/resolv.conf', 'utf8').catch(() => '')),
  });
  const refreshPolicies = async (): Promise<void> => {
    // Before all nodes are known, some of their addresses would be open.
    if (nodes.synced) namespaces.close(closedNetworks(config.DELOS_DENIED_CIDRS, nodes.values()));
    for (const { namespace, error } of await namespaces.refresh()) {
      log.warn({ error, namespace }, 'network policies are not up to date, will try again');
    }
  };
  const events = new PodEvents();
  const stop = new AbortController();
  const read =
    <T>(shape: z.ZodType<T>) =>
    (object: unknown): T | undefined => {
      const parsed = shape.safeParse(object);
      if (!parsed.success) log.error({ issues: parsed.error.issues }, 'an object of Kubernetes is not understood');
      return parsed.data;
    };

  const keeper = new JobKeeper({
    client,
    cluster,
    onlyPool: config.DELOS_ONLY_POOL,
    namespaces,
    log,
    send: (message) => send(message),
    connected: () => uplink.connected,
    keepPod: (object) => pods.put(object),
    lastEvent: (uid) => events.lastOf(uid),
    standIns: new Map(Object.entries(config.DELOS_STAND_INS)),
    imageSource: imageSource({
      allowed: config.DELOS_ALLOWED_REGISTRIES,
      denied: () => [...config.DELOS_DENIED_CIDRS, ...[...nodes.values()].flatMap(addressesOf)],
    }),
  });
  const pods: Reflector<Pod> = new Reflector({
    client,
    path: '/api/v1/pods',
    query: { labelSelector: `${JOB_LABEL},${CLUSTER_LABEL}=${cluster}` },
    read: read(podShape),
    onChange: (pod, gone) => {
      keeper.podChanged(pod, gone);
      if (gone) return;
      namespaces.found(pod.metadata.namespace ?? '');
      projectEvents.follow(pod.metadata.namespace ?? '');
    },
    onListed: () => keeper.podsListed(),
    onProblem: logProblem(log, '/api/v1/pods'),
  });
  const projectEvents = new ProjectEvents({
    client,
    read: (object) => events.read(eventShape.safeParse(object).data),
    onChange: (event, gone) => {
      const uid = event.involvedObject.uid;
      const pod = keeper.podOf(event.involvedObject.name);
      if (!gone && events.put(event) && pod?.metadata.uid === uid) keeper.podChanged(pod, false);
    },
    log,
  });
  const report = debounce(
    guard(
      () => {
        sendNodes();
        void refreshPolicies();
      },
      (error) => log.error({ error }, 'reporting nodes failed'),
    ),
  );
  const nodes: Reflector<Node> = new Reflector({
    client,
    path: '/api/v1/nodes',
    read: read(nodeShape),
    onChange: () => report(),
    onProblem: logProblem(log, '/api/v1/nodes'),
  });
  const others: Reflector<PodUsage> = new Reflector({
    client,
    path: '/api/v1/pods',
    query: { labelSelector: `!${JOB_LABEL}` },
    read: read(podUsageShape),
    onChange: () => report(),
    onProblem: logProblem(log, '/api/v1/pods'),
  });

  function send(message: FromAgent): void {
    uplink.send(message);
  }
  function sendNodes(): void {
    // Half a picture would look like a cluster that shrank.
    if (!nodes.synced || !others.synced) return;
    const reports: readonly NodeReport[] = nodeReports(nodes.values(), others.values(), config.DELOS_ONLY_POOL);
    send({ type: 'nodes', nodes: [...reports] });
  }

  const uplink = new Uplink({
    url: `${apiUrl}${AGENT_PREFIX}/connect?cluster=${encodeURIComponent(cluster)}`,
    token: config.DELOS_AGENT_TOKEN,
    log,
    onOpen: () => {
      send({ type: 'hello', version: config.DELOS_VERSION, nonce: randomUUID() });
      sendNodes();
    },
    onMessage: (text) => {
      const message = toAgent.parse(JSON.parse(text));
      switch (message.type) {
        case 'sync':
          keeper.sync(message.jobIds);
          break;
        case 'job':
          keeper.desire(message.job);
          break;
        case 'forget':
          keeper.forget(message.jobId);
          break;
        case 'ack':
          keeper.ack(message.jobId, message.seq);
          break;
        case 'stream':
          detach(log, 'opening a stream', () =>
            openStream(
              { client, apiUrl, token: config.DELOS_AGENT_TOKEN, podOf: (id) => keeper.podOf(id), log },
              message.stream,
            ),
          );
          break;
      }
    },
  });

  new Gauge({
    name: 'delos_agent_jobs',
    help: 'Jobs that the agent looks after',
    registers: [context.metrics],
    collect() {
      this.set(keeper.size);
    },
  });
  const running = [uplink, nodes, others, pods].map((part) => part.run(stop.signal));
  const sweep = (): void => {
    keeper.sweep();
    void refreshPolicies();
    projectEvents.retire(new Set([...pods.values()].map(({ metadata }) => metadata.namespace ?? '')));
  };
  const endTimers = [
    every(REPORT_MS, log, 'reporting nodes', sendNodes),
    every(SWEEP_MS, log, 'looking after jobs', sweep),
  ];
  return {
    unready: async () => uplink.problem ?? [pods, nodes, others].map(({ problem }) => problem).find(Boolean),
    stop: async () => {
      for (const end of endTimers) end();
      stop.abort();
      client.close();
      await Promise.all([...running, projectEvents.close()]);
    },
  };
}

/** A node's own addresses, public ones among them. */
function addressesOf({ status }: Node): readonly string[] {
  return status.addresses.map(({ address }) => address);
}

/** Many changes in one moment are one report. */
function debounce(run: () => void): () => void {
  let due = false;
  return () => {
    if (due) return;
    due = true;
    setTimeout(() => {
      due = false;
      run();
    }, 100).unref();
  };
}
