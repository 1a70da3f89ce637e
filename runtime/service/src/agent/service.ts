import { readFile } from 'node:fs/promises';
import {
  AGENT_PROTOCOL,
  AGENT_ROLE,
  type FromAgent,
  fileVolumeSource,
  IMAGE_SAVER_PORT,
  JOB_LABEL,
  type NodeReport,
  offer,
  PLATFORM_NAMESPACE,
  RELEASE,
  toAgent,
} from '@delos/core';
import { KubeClient, kubeconfigAccess, podAccess, Reflector } from '@delos/kube';
import { Gauge } from 'prom-client';
import { z } from 'zod';
import { detach, every, guard } from '../edge/guard.ts';
import { imageSource, registryList } from '../image-source.ts';
import { liveSecret } from '../live-secret.ts';
import type { RunningService, Service, ServiceContext } from '../service.ts';
import { readEnv } from '../service-env.ts';
import { agentPrefix, Uplink } from '../uplink.ts';
import { connectionGauge } from '../uplink-metrics.ts';
import { type Node, nodeShape, type PodUsage, podUsageShape } from './jobs/pod-shape.ts';
import { Keepers } from './keepers.ts';
import { Membership, type MembershipProps } from './membership.ts';
import { PRIVATE_CIDRS } from './namespaces/manifests.ts';
import { Namespaces } from './namespaces/namespaces.ts';
import { closedNetworks, dnsServers } from './node-addresses.ts';
import { nodeReports } from './nodes/reports.ts';
import { logProblem } from './problems.ts';
import { openStream } from './streams/streams.ts';

const settings = z.object({
  DELOS_API_URL: z.url(),
  DELOS_CLUSTER: z.string(),
  DELOS_AGENT_PREFIX: agentPrefix,
  DELOS_AGENT_TOKEN_FILE: z.string(),
  /** In a cluster that has joined: what it joins by, and its collectors' token, whose digest it tells. */
  DELOS_JOIN_TOKEN_FILE: z.string().optional(),
  DELOS_COLLECTOR_TOKEN_FILE: z.string().optional(),
  /** There: what it offers to jobs, JSON. */
  DELOS_OFFER_FILE: z.string().optional(),
  /** Where the gateway runs. */
  POD_NAMESPACE: z.string().default(PLATFORM_NAMESPACE),
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
  /** StorageClass of new disks; left out: the cluster's default. */
  DELOS_DISK_CLASS: z.string().optional(),
  /** Where the file storage is, JSON; left out: jobs cannot mount it. */
  DELOS_FILE_VOLUME: z
    .string()
    .transform((text): unknown => JSON.parse(text))
    .pipe(fileVolumeSource)
    .optional(),
  /** What the part that saves containers is shown; left out: there is none. */
  DELOS_SAVER_TOKEN_FILE: z.string().optional(),
  DELOS_VERSION: z.string().default(RELEASE),
  /** Proxy that jobs are told of, and what they reach without it. */
  DELOS_JOB_PROXY: z.url().optional(),
  DELOS_JOB_NO_PROXY: z.string().default(''),
  /** File with the certificate authorities that jobs get, PEM. It may change. */
  DELOS_JOB_AUTHORITIES_FILE: z.string().optional(),
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
  const agentsUrl = `${apiUrl}${config.DELOS_AGENT_PREFIX}`;
  const cluster = config.DELOS_CLUSTER;
  // The official client library would take more memory than all of the agent: it is not used here.
  const access = env.DELOS_KUBECONFIG === undefined ? await podAccess(env) : kubeconfigAccess(env.DELOS_KUBECONFIG);
  const client = new KubeClient(access, { fieldManager: AGENT_ROLE, maxBytes: ANSWER_BYTES });
  const namespaces = new Namespaces(client, {
    platformNamespace: config.POD_NAMESPACE,
    // The agent asks where every Pod does.
    dnsAddresses: dnsServers(await readFile('/etc/resolv.conf', 'utf8').catch(() => '')),
    proxied: config.DELOS_JOB_PROXY !== undefined,
  });
  const authorities = config.DELOS_JOB_AUTHORITIES_FILE;
  const readAuthorities = async (): Promise<void> => {
    if (authorities !== undefined) namespaces.trust(await readFile(authorities, 'utf8'));
  };
  // Before the first job, which would find none.
  await readAuthorities();
  const refreshPolicies = async (): Promise<void> => {
    await readAuthorities().catch((error: unknown) => log.warn({ error }, 'the authorities cannot be read'));
    // Before all nodes are known, some of their addresses would be open.
    if (nodes.synced) namespaces.close(closedNetworks(config.DELOS_DENIED_CIDRS, nodes.values()));
    for (const { namespace, error } of await namespaces.refresh()) {
      log.warn({ error, namespace }, 'a project’s namespace is not up to date, will try again');
    }
  };
  const saverToken =
    config.DELOS_SAVER_TOKEN_FILE === undefined ? undefined : liveSecret(config.DELOS_SAVER_TOKEN_FILE);
  const stop = new AbortController();
  const read =
    <T>(shape: z.ZodType<T>) =>
    (object: unknown): T | undefined => {
      const parsed = shape.safeParse(object);
      if (!parsed.success) log.error({ issues: parsed.error.issues }, 'an object of Kubernetes is not understood');
      return parsed.data;
    };

  const keepers = new Keepers({
    client,
    cluster,
    onlyPool: config.DELOS_ONLY_POOL,
    wayOut: {
      proxy:
        config.DELOS_JOB_PROXY === undefined
          ? undefined
          : { url: config.DELOS_JOB_PROXY, none: config.DELOS_JOB_NO_PROXY },
      authorities: authorities !== undefined,
    },
    namespaces,
    log,
    send: (message) => send(message),
    connected: () => uplink.connected,
    read,
    standIns: new Map(Object.entries(config.DELOS_STAND_INS)),
    diskClass: config.DELOS_DISK_CLASS,
    fileVolume: config.DELOS_FILE_VOLUME,
    nodes: () => nodes.values(),
    imageSource: imageSource({
      allowed: config.DELOS_ALLOWED_REGISTRIES,
      denied: () => [...config.DELOS_DENIED_CIDRS, ...[...nodes.values()].flatMap(addressesOf)],
    }),
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

  const token = liveSecret(config.DELOS_AGENT_TOKEN_FILE);
  const offered = await offerOf(config.DELOS_OFFER_FILE);
  const uplink = new Uplink({
    url: `${agentsUrl}/connect?cluster=${encodeURIComponent(cluster)}`,
    token,
    log,
    onOpen: () => {
      send({ type: 'hello', version: config.DELOS_VERSION, protocol: AGENT_PROTOCOL });
      if (offered !== undefined) send(offered);
      sendNodes();
    },
    onMessage: (text) => {
      const message = toAgent.parse(JSON.parse(text));
      if (message.type !== 'stream') {
        keepers.hear(message);
        return;
      }
      detach(log, 'opening a stream', () =>
        openStream(
          {
            client,
            apiUrl,
            prefix: config.DELOS_AGENT_PREFIX,
            token: token.current(),
            podOf: (id) => keepers.podOf(id),
            savers:
              saverToken === undefined ? undefined : { port: IMAGE_SAVER_PORT, token: () => saverToken.current() },
            log,
          },
          message.stream,
        ),
      );
    },
  });

  connectionGauge(context.metrics, uplink);
  new Gauge({
    name: 'delos_agent_kept',
    help: 'What the agent looks after, by kind',
    labelNames: ['kind'],
    registers: [context.metrics],
    collect() {
      for (const [kind, size] of keepers.sizes) this.set({ kind }, size);
    },
  });
  const membership = membershipOf(config, { url: apiUrl, agent: token, log });
  const parts = [uplink, nodes, others, keepers, ...(membership === undefined ? [] : [membership])];
  const running = parts.map((part) => part.run(stop.signal));
  const sweep = (): void => {
    keepers.sweep();
    void refreshPolicies();
  };
  const endTimers = [
    every(REPORT_MS, log, 'reporting nodes', sendNodes),
    every(SWEEP_MS, log, 'looking after what is desired', sweep),
  ];
  return {
    unready: async () =>
      membership?.problem ?? uplink.problem ?? [keepers, nodes, others].map(({ problem }) => problem).find(Boolean),
    stop: async () => {
      for (const end of endTimers) end();
      stop.abort();
      client.close();
      await Promise.all(running);
    },
  };
}

/** Of a cluster that has joined: what it offers to jobs. */
const offerOf = async (file: string | undefined): Promise<FromAgent | undefined> =>
  file === undefined
    ? undefined
    : { type: 'offer', ...offer.omit({ type: true }).parse(JSON.parse(await readFile(file, 'utf8'))) };

/** Undefined in the platform's own cluster. */
function membershipOf(
  { DELOS_JOIN_TOKEN_FILE: ticket, DELOS_COLLECTOR_TOKEN_FILE: collector }: z.infer<typeof settings>,
  props: Omit<MembershipProps, 'ticket' | 'collector'>,
): Membership | undefined {
  if (ticket === undefined || collector === undefined) return undefined;
  return new Membership({ ...props, ticket: liveSecret(ticket), collector: liveSecret(collector) });
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
