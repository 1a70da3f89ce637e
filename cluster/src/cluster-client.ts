import { isIP } from 'node:net';
import {
  CLUSTER_DNS_SELECTOR,
  DEFAULT_CLASS_ANNOTATION,
  DelosError,
  POOL_LABEL,
  SERVICE_NAME_LABEL,
  SYSTEM_NAMESPACE,
} from '@delos/core';
import { accessOf, KubeClient, KubeError, type Query } from '@delos/kube';
import type { KubeConfig } from '@kubernetes/client-node';
import { z } from 'zod';
import type { ClusterStatus } from './engine.ts';
import type { NodeFacts } from './user-namespaces.ts';

const LIMIT_MS = 5000;

const version = z.object({ gitVersion: z.string() });
const list = <T extends z.ZodType>(item: T) => z.object({ items: z.array(item) });
const classes = list(
  z.object({
    metadata: z.object({ name: z.string(), annotations: z.record(z.string(), z.string()).default({}) }),
  }),
);
const slices = list(
  z.object({
    endpoints: z.array(z.object({ addresses: z.array(z.string()) })).nullish(),
    ports: z.array(z.object({ port: z.number().nullish() })).nullish(),
  }),
);
const nodes = list(
  z.object({
    metadata: z.object({ name: z.string(), labels: z.record(z.string(), z.string()).default({}) }),
    status: z.object({
      conditions: z.array(z.object({ type: z.string(), status: z.string() })).default([]),
      nodeInfo: z
        .object({ kubeletVersion: z.string(), kernelVersion: z.string(), containerRuntimeVersion: z.string() })
        .default({ kubeletVersion: '', kernelVersion: '', containerRuntimeVersion: '' }),
      runtimeHandlers: z
        .array(
          z.object({
            name: z.string().default(''),
            features: z.object({ userNamespaces: z.boolean().default(false) }).nullish(),
          }),
        )
        .nullish(),
    }),
  }),
);

const services = list(z.object({ spec: z.object({ clusterIPs: z.array(z.string()).default([]) }) }));
const serviceRanges = list(z.object({ spec: z.object({ cidrs: z.array(z.string()) }) }));
const kubeletConfig = z.object({
  kubeletconfig: z.object({
    podPidsLimit: z.number().default(-1),
    evictionHard: z.record(z.string(), z.string()).default({}),
  }),
});
export type KubeletConfig = z.infer<typeof kubeletConfig>['kubeletconfig'];

/** A few reads of any cluster, with the credentials of a kubeconfig (exec plugins included) and a limit of 5 s each. */
export interface ClusterReader {
  version(): Promise<string>;
  /** Undefined where no StorageClass is marked as default. */
  tryDefaultStorageClass(): Promise<string | undefined>;
  /** The addresses behind the `kubernetes` Service. */
  apiServer(): Promise<{ readonly addresses: readonly string[]; readonly port: number }>;
  /** Addresses of the Services of cluster DNS, where a DNS cache on each node may answer in their place. */
  dnsServices(): Promise<readonly string[]>;
  /** Ranges of its Services, as far as the API server tells. */
  networks(): Promise<readonly string[]>;
  nodes(): Promise<ClusterStatus['nodes']>;
  /** What every node says of its kubelet and container runtime. */
  nodeFacts(): Promise<readonly NodeFacts[]>;
  /** What a node's kubelet runs with; undefined where the caller may not ask or the node does not answer. */
  tryKubeletConfig(node: string): Promise<KubeletConfig | undefined>;
}

/** @throws from each call DelosError ERR_CLUSTER_UNREACHABLE, with what to do */
export function readCluster(kubeConfig: KubeConfig, server: string): ClusterReader {
  const access = accessOf(kubeConfig);
  const client = new KubeClient(
    {
      ...access,
      server: server.replace(/\/+$/, ''),
      // Credential plugins are commands of the cluster's provider: only their own words tell what went wrong.
      credentials: async () => {
        try {
          return await access.credentials();
        } catch (error) {
          throw unreachable(server, `no credentials: ${wordsOf(error)}`);
        }
      },
    },
    { fieldManager: 'delos', limitMs: LIMIT_MS },
  );
  const get = async (path: string, query: Query = {}): Promise<unknown> => {
    let answer: unknown;
    try {
      answer = await client.get(path, query);
    } catch (error) {
      if (error instanceof DelosError) throw error;
      throw error instanceof KubeError ? refused(server, path, error.status) : unreachable(server, wordsOf(error));
    }
    if (typeof answer === 'string') throw unreachable(server, 'it does not answer as a Kubernetes API server does');
    return answer;
  };
  return {
    version: async () => version.parse(await get('/version')).gitVersion,
    async tryDefaultStorageClass() {
      const { items } = classes.parse(await get('/apis/storage.k8s.io/v1/storageclasses'));
      return items.find((each) => each.metadata.annotations[DEFAULT_CLASS_ANNOTATION] === 'true')?.metadata.name;
    },
    async apiServer() {
      const labelSelector = `${SERVICE_NAME_LABEL}=kubernetes`;
      const { items } = slices.parse(
        await get('/apis/discovery.k8s.io/v1/namespaces/default/endpointslices', { labelSelector }),
      );
      return {
        addresses: items.flatMap((slice) => slice.endpoints ?? []).flatMap((endpoint) => endpoint.addresses),
        port: items[0]?.ports?.[0]?.port ?? 443,
      };
    },
    async dnsServices() {
      const { items } = services.parse(
        await get(`/api/v1/namespaces/${SYSTEM_NAMESPACE}/services`, { labelSelector: CLUSTER_DNS_SELECTOR }),
      );
      return [...new Set(items.flatMap(({ spec }) => spec.clusterIPs))].filter((address) => isIP(address) !== 0);
    },
    async networks() {
      // Kubernetes 1.33. Others do not tell: their Services are known by their names.
      const answer = await get('/apis/networking.k8s.io/v1/servicecidrs').catch(() => undefined);
      return (serviceRanges.safeParse(answer).data?.items ?? []).flatMap(({ spec }) => spec.cidrs).sort();
    },
    async tryKubeletConfig(node) {
      const path = `/api/v1/nodes/${encodeURIComponent(node)}/proxy/configz`;
      return kubeletConfig.safeParse(await get(path).catch(() => undefined)).data?.kubeletconfig;
    },
    async nodes() {
      const { items } = nodes.parse(await get('/api/v1/nodes'));
      return items.map(({ metadata, status }) => ({
        name: metadata.name,
        ready: status.conditions.some((each) => each.type === 'Ready' && each.status === 'True'),
        pool: metadata.labels[POOL_LABEL],
        ...(status.nodeInfo.containerRuntimeVersion === undefined
          ? {}
          : { runtime: status.nodeInfo.containerRuntimeVersion }),
      }));
    },
    async nodeFacts() {
      const { items } = nodes.parse(await get('/api/v1/nodes'));
      return items.map(({ metadata, status }) => ({
        name: metadata.name,
        kubelet: status.nodeInfo.kubeletVersion,
        kernel: status.nodeInfo.kernelVersion,
        runtime: status.nodeInfo.containerRuntimeVersion,
        // The handler without a name is that of Pods that ask for none.
        userNamespaces: (status.runtimeHandlers ?? []).some(
          ({ name, features }) => name === '' && features?.userNamespaces === true,
        ),
      }));
    },
  };
}

function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message !== '' || !('code' in error) ? error.message : String(error.code);
}

function unreachable(server: string, why: string): DelosError {
  return new DelosError('ERR_CLUSTER_UNREACHABLE', `the API server at ${server} does not answer: ${why}`, {
    hint: 'check that the cluster runs and that KUBECONFIG is the right one: kubectl cluster-info',
    data: { server },
  });
}

function refused(server: string, path: string, status: number): DelosError {
  const why =
    status === 401 ? 'does not accept the credentials' : status === 403 ? 'does not permit' : `answers ${status} to`;
  return new DelosError('ERR_CLUSTER_UNREACHABLE', `the API server at ${server} ${why}: GET ${path}`, {
    hint: 'Delos needs the rights of a cluster administrator; check with: kubectl auth can-i "*" "*" --all-namespaces',
    data: { server, status },
  });
}
