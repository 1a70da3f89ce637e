import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { until } from '../../../support/until.ts';
import { ClusterClient, dialFromOutside, type Labels, type PodRef } from './cluster.ts';

/** Anything with a shell-less Python 3; the platform's own user image. */
const IMAGE = 'ghcr.io/neuro-inc/base:latest';
const DIAL_S = 0.4;
const PODS = [
  ['x', 'a'],
  ['x', 'b'],
  ['y', 'a'],
  ['y', 'b'],
] as const;

/**
 * One expectation: `x/b -> x/a:80 open`. Left: a Pod, or `outside` (the machine). Right: a Pod's address, `svc` and
 * `nodeport` (of x/a), `node` (its kubelet), `api` (the `kubernetes` Service), `world` (a host beyond the machine).
 * UDP is written `:udp/80`.
 */
export type Expectation = string;

export interface Facts {
  readonly pods: Readonly<Record<string, string>>;
  readonly node: string;
  /** The machine's address as the node sees it. */
  readonly machine: string;
  /** A host beyond the machine, and a port on which it answers. */
  readonly outside: { readonly address: string; readonly port: number };
  readonly service: string;
  readonly nodePort: number;
  readonly api: string;
}

const answers = z.array(z.object({ open: z.boolean(), answer: z.string() }));
const flowState = z.object({ replies: z.number(), longest: z.number(), error: z.string().nullable() });
const hammerState = z.object({ hits: z.array(z.string()), rounds: z.number() });

/** Two namespaces of two Pods, all of them servers and clients, and what the cases do with them. */
export class World {
  readonly client: ClusterClient;
  readonly #policies: PodRef[] = [];
  readonly #pods: PodRef[] = [];
  #facts: Facts | undefined;

  constructor(kubeconfig: string) {
    this.client = new ClusterClient(kubeconfig);
  }

  get facts(): Facts {
    if (this.#facts === undefined) throw new Error('set up first');
    return this.#facts;
  }

  namespace(short: string): string {
    return `netpol-${short}`;
  }

  ref(pod: string): PodRef {
    const [namespace = '', name = ''] = pod.split('/');
    return { namespace: this.namespace(namespace), name };
  }

  ip(pod: string): string {
    const found = this.facts.pods[pod];
    if (found === undefined) throw new Error(`no Pod ${pod}`);
    return found;
  }

  async setUp(outside: Facts['outside']): Promise<void> {
    await this.tearDown();
    const program = await readFile(join(import.meta.dirname, 'probe.py'), 'utf8');
    for (const short of ['x', 'y', 'z']) {
      const namespace = this.namespace(short);
      await this.client.create({
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name: namespace, labels: { team: short } },
      });
      await this.client.create({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'probe', namespace },
        data: { 'probe.py': program },
      });
    }
    const service = await this.#service('svc', 'ClusterIP');
    const nodeport = await this.#service('nodeport', 'NodePort');
    const found = await Promise.all(
      PODS.map(async ([short, name]) => {
        const pod = await this.addPod(short, name, { app: name });
        return [`${short}/${name}`, await this.client.ready(pod)] as const;
      }),
    );
    const kubernetes = serviceSchema.parse(await this.client.get('Service', 'default', 'kubernetes'));
    const nodes = nodeList.parse(await this.client.send('GET', '/api/v1/nodes'));
    this.#facts = {
      pods: Object.fromEntries(found),
      node: nodes.items[0]?.status.addresses.find(({ type }) => type === 'InternalIP')?.address ?? '',
      machine: await this.client.localAddress(),
      outside,
      service: service.spec.clusterIP,
      nodePort: nodeport.spec.ports[0]?.nodePort ?? 0,
      api: kubernetes.spec.clusterIP,
    };
  }

  /** Removes what an earlier, perhaps killed, run has left as well. */
  async tearDown(): Promise<void> {
    const spaces = ['x', 'y', 'z'].map((short) => this.namespace(short));
    await Promise.all(spaces.map((name) => this.client.remove('Namespace', undefined, name)));
    for (const name of spaces) {
      await until(`namespace ${name} is gone`, 120, async () =>
        this.client.get('Namespace', undefined, name).then(
          () => undefined,
          () => true,
        ),
      );
    }
  }

  /** @param once its program ends at once, and is not started again */
  async addPod(short: string, name: string, labels: Labels, once = false): Promise<PodRef> {
    const ref = { namespace: this.namespace(short), name };
    await this.client.create({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: ref.namespace, labels },
      spec: {
        automountServiceAccountToken: false,
        terminationGracePeriodSeconds: 0,
        restartPolicy: once ? 'Never' : 'Always',
        containers: [
          {
            name: 'probe',
            image: IMAGE,
            imagePullPolicy: 'IfNotPresent',
            command: ['python3', '-u', ...(once ? ['-c', ''] : ['/probe/probe.py'])],
            env: [{ name: 'PROBE_NAME', value: `${short}/${name}` }],
            ports: [
              { name: 'web', containerPort: 8080, protocol: 'TCP' },
              { name: 'talk', containerPort: 8081, protocol: 'UDP' },
            ],
            securityContext: { runAsUser: 0, capabilities: { add: ['NET_RAW'] } },
            resources: { requests: { cpu: '10m', memory: '32Mi' } },
            volumeMounts: [{ name: 'probe', mountPath: '/probe' }],
          },
        ],
        volumes: [{ name: 'probe', configMap: { name: 'probe' } }],
      },
    });
    this.#pods.push(ref);
    return ref;
  }

  async status({ namespace, name }: PodRef) {
    return podStatus.parse(await this.client.get('Pod', namespace, name)).status;
  }

  /** @param spec of a NetworkPolicy; its name is `NAMESPACE/NAME` */
  async apply(name: string, spec: object): Promise<void> {
    const ref = this.ref(name);
    const manifest = { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: ref, spec };
    if (this.#policies.some((known) => known.name === ref.name && known.namespace === ref.namespace)) {
      await this.client.replace(manifest);
      return;
    }
    await this.client.create(manifest);
    this.#policies.push(ref);
  }

  async drop(name: string): Promise<void> {
    const ref = this.ref(name);
    await this.client.remove('NetworkPolicy', ref.namespace, ref.name);
    this.#policies.splice(
      this.#policies.findIndex((known) => known.name === ref.name && known.namespace === ref.namespace),
      1,
    );
  }

  async dropAll(): Promise<void> {
    const policies = this.#policies.splice(0);
    await Promise.all(policies.map(({ namespace, name }) => this.client.remove('NetworkPolicy', namespace, name)));
  }

  /** Makes each connection, again until all come out as said: a change takes its moment. */
  async expect(expectations: readonly Expectation[], limit = 10): Promise<void> {
    const parsed = expectations.map((text) => ({ text, ...this.#parse(text) }));
    await until(
      expectations.join(', '),
      limit,
      async (last) => {
        const wrong = await this.#wrong(parsed);
        last(wrong);
        return wrong.length === 0 ? true : undefined;
      },
      30,
    );
  }

  /** Those that the node gives next: it counts upwards. */
  async nextAddresses(count: number): Promise<readonly string[]> {
    const { items } = podList.parse(await this.client.send('GET', '/api/v1/pods'));
    const network = this.ip('x/a').split('.').slice(0, 3).join('.');
    const used = items.map(({ status }) => status.podIP ?? '').filter((ip) => ip.startsWith(`${network}.`));
    const last = Math.max(...used.map((ip) => Number(ip.split('.')[3])));
    return Array.from({ length: count }, (_, index) => `${network}.${((last - 1 + index) % 252) + 2}`).filter(
      (ip) => !used.includes(ip),
    );
  }

  async flow(pod: string, id: string, action: 'start' | 'look' | 'reset' | 'stop', target?: object) {
    return this.client.order(flowState, this.ref(pod), 'flow', { id, do: action, ...target });
  }

  async hammer(pod: string, id: string, action: 'start' | 'look' | 'stop', target?: object) {
    return this.client.order(hammerState, this.ref(pod), 'hammer', { id, do: action, ...target });
  }

  async #wrong(expectations: readonly (Parsed & { readonly text: string })[]): Promise<readonly string[]> {
    const bySource = [...Map.groupBy(expectations, ({ from }) => from)];
    const results = await Promise.all(
      bySource.map(async ([from, group]) => {
        const found =
          from === 'outside'
            ? await Promise.all(group.map(async ({ host, port }) => this.#fromOutside(host, port)))
            : await this.client.order(answers, this.ref(from), 'dial', group.map(dialOrder));
        return group.flatMap(({ text, open }, index) => {
          const answer = found[index];
          return answer?.open === open ? [] : [`${text}, but: ${JSON.stringify(answer)}`];
        });
      }),
    );
    return results.flat();
  }

  async #fromOutside(host: string, port: number) {
    const answer = await dialFromOutside(host, port, DIAL_S * 1000);
    return { open: answer !== undefined, answer: answer ?? '' };
  }

  #parse(text: Expectation): Parsed {
    const match = /^(\S+) -> (\S+?)(?::(?:(udp)\/)?(\d+))? (open|closed)$/.exec(text);
    if (match === null) throw new Error(`not understood: ${text}`);
    const [, from = '', to = '', udp, port, end] = match;
    const { node, outside, service, nodePort, api } = this.facts;
    const special: Readonly<Record<string, Omit<Parsed, 'from' | 'open' | 'protocol'>>> = {
      svc: { host: service, port: 80, silent: false },
      nodeport: { host: node, port: nodePort, silent: false },
      node: { host: node, port: 10250, silent: true },
      api: { host: api, port: 443, silent: true },
      world: { host: outside.address, port: outside.port, silent: false },
    };
    const target = special[to] ?? { host: this.ip(to), port: Number(port), silent: false };
    return { from, ...target, protocol: udp ?? 'tcp', open: end === 'open' };
  }

  async #service(name: string, type: string) {
    return serviceSchema.parse(
      await this.client.create({
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name, namespace: this.namespace('x') },
        spec: { type, selector: { app: 'a' }, ports: [{ port: 80, targetPort: 8080 }] },
      }),
    );
  }
}

interface Parsed {
  readonly from: string;
  readonly host: string;
  readonly port: number;
  readonly protocol: string;
  /** A server that says nothing first: a connection is proof enough. */
  readonly silent: boolean;
  readonly open: boolean;
}

const serviceSchema = z.object({
  spec: z.object({ clusterIP: z.string(), ports: z.array(z.object({ nodePort: z.number().optional() })) }),
});
const podStatus = z.object({ status: z.object({ phase: z.string(), podIP: z.string().optional() }) });
const podList = z.object({ items: z.array(z.object({ status: z.object({ podIP: z.string().optional() }) })) });
const nodeList = z.object({
  items: z.array(
    z.object({ status: z.object({ addresses: z.array(z.object({ type: z.string(), address: z.string() })) }) }),
  ),
});

function dialOrder({ host, port, protocol, silent }: Parsed) {
  return { host, port, protocol, silent, limit: DIAL_S };
}
