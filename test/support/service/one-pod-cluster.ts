import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setImmediate } from 'node:timers/promises';
import type { KubeClient } from '@delos/kube';
import { type Pod, podShape } from '../../../runtime/service/src/agent/jobs/pod-shape.ts';
import { plainClient } from '../kube/plain-client.ts';

/** What is watched: a Pod as it is now, or as it was last. */
export interface PodEvent {
  readonly pod: Pod;
  readonly gone: boolean;
}

/** What was made, as it was sent. */
type Made = Readonly<Record<string, unknown>>;

/**
 * An API server that knows Pods, and their kubelet: each does its next step when the test says so. Whatever else is written
 * is accepted.
 */
export class OnePodCluster {
  readonly client: KubeClient;
  readonly #server: Server;
  /** Path → Pod, as Kubernetes would show it. */
  readonly #pods = new Map<string, Pod>();
  /** Runs of which a Pod was made, in their order. */
  readonly made: number[] = [];
  /** Secrets that were made, by name. */
  readonly secrets = new Map<string, Made>();
  /** So many Secrets are refused before one is made. */
  refusals = 0;
  /** A container has ended by itself. */
  finished = false;
  events: PodEvent[] = [];
  #version = 0;
  #busy = 0;

  private constructor(server: Server) {
    this.#server = server;
    const { port } = server.address() as AddressInfo;
    this.client = plainClient(port);
    server.on('request', (request, response) => {
      this.#busy += 1;
      void this.#answer(request).then(({ status, body }) => {
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
        this.#busy -= 1;
      });
    });
  }

  static async start(): Promise<OnePodCluster> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new OnePodCluster(server);
  }

  async stop(): Promise<void> {
    this.client.close();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  reset(): void {
    this.#pods.clear();
    this.made.length = 0;
    this.secrets.clear();
    this.refusals = 0;
    this.finished = false;
    this.events = [];
  }

  get pods(): readonly Pod[] {
    return [...this.#pods.values()];
  }

  /** Until nobody asks anything. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 12; quiet = this.#busy === 0 ? quiet + 1 : 0) await setImmediate();
  }

  /** The kubelet's next step with what there is. @param finish the container ends by itself, where it runs */
  kubelet(finish = false): void {
    for (const [path, pod] of this.#pods) {
      const state = pod.status.containerStatuses[0]?.state;
      const leaves = pod.metadata.deletionTimestamp !== undefined;
      if (leaves && state?.running !== undefined && isPutOut(pod)) this.#show(path, pod, 'Failed', '', ENDED);
      else if (leaves) this.#remove(path);
      else if (pod.spec.nodeName === undefined) this.#put(path, { ...pod, spec: { ...pod.spec, nodeName: 'node-1' } });
      else if (state === undefined)
        this.#show(path, pod, 'Running', '', { running: { startedAt: new Date().toISOString() } });
      else if (state.running === undefined) continue;
      // Its container ends without an error, asked or not.
      else if (pod.spec.activeDeadlineSeconds === 1) this.#show(path, pod, 'Failed', 'DeadlineExceeded', ENDED);
      else if (finish) {
        this.finished = true;
        this.#show(path, pod, 'Succeeded', '', ENDED);
      }
    }
  }

  /** The Eviction API, as `kubectl drain` calls it: the Pod shall go, and says why. */
  evict(): void {
    for (const [path, pod] of this.#pods) {
      if (pod.metadata.deletionTimestamp !== undefined) continue;
      const now = new Date().toISOString();
      const why = {
        type: 'DisruptionTarget',
        status: 'True',
        reason: 'EvictionByEvictionAPI',
        lastTransitionTime: now,
      };
      const metadata = { ...pod.metadata, deletionTimestamp: now };
      this.#put(path, { ...pod, metadata, status: { ...pod.status, conditions: [why] } });
    }
  }

  #show(path: string, pod: Pod, phase: string, reason: string, state: unknown): void {
    const containerStatuses = [{ name: 'main', state }];
    this.#put(path, { ...pod, status: { ...pod.status, phase, reason, containerStatuses } });
  }

  #put(path: string, object: unknown): Pod {
    const pod = podShape.parse(object);
    this.#version += 1;
    const kept = { ...pod, metadata: { ...pod.metadata, resourceVersion: String(this.#version) } };
    this.#pods.set(path, kept);
    this.events.push({ pod: kept, gone: false });
    return kept;
  }

  #remove(path: string): void {
    const pod = this.#pods.get(path);
    if (pod !== undefined && this.#pods.delete(path)) this.events.push({ pod, gone: true });
  }

  #secret(body: Made & { readonly metadata: { readonly name: string } }): {
    readonly status: number;
    readonly body: unknown;
  } {
    if (this.refusals > 0) {
      this.refusals -= 1;
      return refuse(503, 'ServiceUnavailable');
    }
    if (this.secrets.has(body.metadata.name)) return refuse(409, 'AlreadyExists');
    this.secrets.set(body.metadata.name, body);
    return { status: 201, body };
  }

  async #answer(request: IncomingMessage): Promise<{ readonly status: number; readonly body: unknown }> {
    const path = new URL(request.url ?? '/', 'http://cluster').pathname;
    const sent = await text(request);
    const body = sent === '' ? {} : JSON.parse(sent);
    if (request.method === 'POST' && path.endsWith('/secrets')) return this.#secret(body);
    if (!/\/pods(\/|$)/.test(path)) return { status: 200, body };
    if (request.method === 'POST') {
      const at = `${path}/${body.metadata.name}`;
      if (this.#pods.has(at)) return refuse(409, 'AlreadyExists');
      this.made.push(Number(body.metadata.labels['delos.dev/run']));
      const uid = `pod-${this.#version + 1}`;
      const creationTimestamp = new Date().toISOString();
      return { status: 201, body: this.#put(at, { ...body, metadata: { ...body.metadata, uid, creationTimestamp } }) };
    }
    const pod = this.#pods.get(path);
    if (pod === undefined) return refuse(404, 'NotFound');
    const asked = request.method === 'PATCH' ? body.metadata : (body.preconditions ?? {});
    if (asked.uid !== undefined && asked.uid !== pod.metadata.uid) return refuse(409, 'Conflict');
    if (asked.resourceVersion !== undefined && asked.resourceVersion !== pod.metadata.resourceVersion)
      return refuse(409, 'Conflict');
    switch (request.method) {
      case 'PATCH':
        return { status: 200, body: this.#put(path, { ...pod, spec: { ...pod.spec, ...body.spec } }) };
      case 'DELETE':
        if (pod.spec.nodeName === undefined || body.gracePeriodSeconds === 0) this.#remove(path);
        else {
          const deletionTimestamp = new Date().toISOString();
          this.#put(path, { ...pod, metadata: { ...pod.metadata, deletionTimestamp } });
        }
        return { status: 200, body: pod };
      default:
        return { status: 200, body: pod };
    }
  }
}

const isPutOut = (pod: Pod): boolean => pod.status.conditions.some(({ type }) => type === 'DisruptionTarget');

const ENDED = { terminated: { exitCode: 0 } };

function refuse(status: number, reason: string) {
  return { status, body: { reason, message: reason } };
}
