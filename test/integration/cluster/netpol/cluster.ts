import { createConnection } from 'node:net';
import { isNotFound, KubeClient, kubeconfigAccess } from '@delos/kube';
import { z } from 'zod';
import { until } from '../../../support/until.ts';

/** An API object as the test writes it. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Labels };
  readonly [field: string]: unknown;
}
export type Labels = Readonly<Record<string, string | null>>;

const KINDS: Readonly<Record<string, string>> = {
  Namespace: '/api/v1/namespaces',
  Pod: '/api/v1/namespaces/%/pods',
  Service: '/api/v1/namespaces/%/services',
  ConfigMap: '/api/v1/namespaces/%/configmaps',
  NetworkPolicy: '/apis/networking.k8s.io/v1/namespaces/%/networkpolicies',
};

/** The API server by plain requests: the test makes hundreds, and starts no kubectl for any. */
export class ClusterClient {
  readonly #client: KubeClient;

  constructor(kubeconfig: string) {
    this.#client = new KubeClient(kubeconfigAccess(kubeconfig), { fieldManager: 'netpol-test' });
  }

  /** This machine's address on the way to the API server. */
  async localAddress(): Promise<string> {
    const { hostname, port } = new URL(this.#client.access.server);
    const socket = createConnection({ host: hostname, port: Number(port) });
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    socket.on('error', reject).on('connect', () => resolve(socket.localAddress ?? ''));
    const address = await promise;
    socket.destroy();
    return address;
  }

  /** @throws KubeError */
  async send(method: string, path: string, body?: unknown, contentType = 'application/json'): Promise<unknown> {
    return this.#client.request(method, path, { body, contentType });
  }

  async create(manifest: Manifest): Promise<unknown> {
    return this.send('POST', collection(manifest.kind, manifest.metadata.namespace), manifest);
  }

  async replace(manifest: Manifest): Promise<unknown> {
    return this.send('PUT', one(manifest.kind, manifest.metadata.namespace, manifest.metadata.name), manifest);
  }

  async remove(kind: string, namespace: string | undefined, name: string): Promise<void> {
    const path = `${one(kind, namespace, name)}?gracePeriodSeconds=0`;
    await this.send('DELETE', path).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
  }

  async get(kind: string, namespace: string | undefined, name: string): Promise<unknown> {
    return this.send('GET', one(kind, namespace, name));
  }

  /** Sets labels; null removes one. */
  async label(kind: string, namespace: string | undefined, name: string, labels: Labels): Promise<void> {
    const patch = { metadata: { labels } };
    await this.send('PATCH', one(kind, namespace, name), patch, 'application/merge-patch+json');
  }

  async status(namespace: string, name: string, status: unknown): Promise<void> {
    const path = `${one('Pod', namespace, name)}/status`;
    await this.send('PATCH', path, { status }, 'application/merge-patch+json');
  }

  /** One order to a Pod's probe. */
  async order<T>(schema: z.ZodType<T>, { namespace, name }: PodRef, order: string, with_: unknown): Promise<T> {
    const path = `/api/v1/namespaces/${namespace}/pods/${name}:7000/proxy/`;
    return schema.parse(await this.send('POST', path, { order, with: with_ }));
  }

  /** Address of a Pod, once its probe answers. */
  async ready(pod: PodRef, limit = 60): Promise<string> {
    return until(`Pod ${pod.namespace}/${pod.name} answers`, limit, async (last) => {
      const { status } = podStatus.parse(await this.get('Pod', pod.namespace, pod.name));
      last(status);
      if (status.podIP === undefined || status.phase !== 'Running') return undefined;
      try {
        await this.order(z.number(), pod, 'received', { token: '' });
        return status.podIP;
      } catch (error) {
        last(String(error));
        return undefined;
      }
    });
  }
}

export interface PodRef {
  readonly namespace: string;
  readonly name: string;
}

const podStatus = z.object({
  status: z.looseObject({ podIP: z.string().optional(), phase: z.string().optional() }),
});

function collection(kind: string, namespace = ''): string {
  const path = KINDS[kind];
  if (path === undefined) throw new Error(`kind ${kind}`);
  return path.replace('%', namespace);
}

function one(kind: string, namespace: string | undefined, name: string): string {
  return `${collection(kind, namespace)}/${name}`;
}

/** A connection from the machine outside the cluster: whether a question is answered, and by whom. */
export async function dialFromOutside(host: string, port: number, limitMs: number): Promise<string | undefined> {
  const socket = createConnection({ host, port });
  const timer = setTimeout(() => socket.destroy(), limitMs);
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  socket.on('connect', () => socket.write('who?'));
  socket.on('data', (data) => resolve(data.toString().split(' ')[0]));
  socket.on('error', () => resolve(undefined)).on('close', () => resolve(undefined));
  const answer = await promise;
  clearTimeout(timer);
  socket.destroy();
  return answer;
}
