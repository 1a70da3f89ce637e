import { type Json, type JsonObject, type KubeClient, KubeError } from '@delos/kube';
import { describe, expect, test } from 'vitest';
import { keepNode } from '../../../cluster/src/embedded/node/keep.ts';
import { askedHash, type NodeSpec } from '../../../cluster/src/embedded/spec.ts';
import type { NodeState } from '../../../cluster/src/embedded/status.ts';
import { nodeUnkept, refusalOf } from '../../../cluster/src/embedded/wait.ts';

type Maps = Record<string, Record<string, string>>;

/** An API server of one Node object, as it answers merge patches: a patch with one label that is none is refused whole. */
class OneNode {
  readonly labels: Record<string, string> = {};
  readonly annotations: Record<string, string> = {};
  readonly capacity: Record<string, string> = {};
  readonly allocatable: Record<string, string> = {};
  patches = 0;
  /** Answered to every patch instead. */
  failing: KubeError | undefined;

  readonly api: Pick<KubeClient, 'patch' | 'tryGet'> = {
    patch: async (path, body) => this.#patch(path, body),
    tryGet: async () => this.#shown(),
  };

  #patch(path: string, body: unknown): Json {
    this.patches += 1;
    if (this.failing !== undefined) throw this.failing;
    const { metadata = {}, status = {} } = body as { metadata?: Maps; status?: Maps };
    const labels = Object.entries(metadata.labels ?? {});
    const bad = labels.find(([, value]) => value !== null && !/^[\w.-]{0,63}$/.test(value));
    if (bad !== undefined) throw new KubeError(422, { message: `Invalid value: "${bad[1]}"` });
    merge(this.labels, metadata.labels);
    merge(this.annotations, metadata.annotations);
    if (path.endsWith('/status')) {
      merge(this.capacity, status.capacity);
      merge(this.allocatable, status.allocatable);
    }
    return this.#shown();
  }

  #shown(): JsonObject {
    const { labels, annotations, capacity, allocatable } = this;
    return structuredClone({ metadata: { labels, annotations }, status: { capacity, allocatable } });
  }
}

function merge(into: Record<string, string>, patch: Record<string, string | null> = {}): void {
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete into[key];
    else into[key] = value;
  }
}

type Asked = Pick<NodeSpec, 'labels' | 'fakeResources'>;
const asking = (labels: Asked['labels'], fakeResources: Asked['fakeResources'] = {}): NodeSpec =>
  ({ index: 1, labels, fakeResources }) as NodeSpec;

/** Keeps a Node until so much time has been waited for. The spec may be another from a time on. */
async function kept(
  node: OneNode,
  spec: (waited: number) => NodeSpec,
  until: number,
): Promise<readonly { readonly at: number; readonly state: NodeState }[]> {
  const reports: { at: number; state: NodeState }[] = [];
  let waited = 0;
  const pause = (milliseconds: number): Promise<void> => {
    waited += milliseconds;
    return waited >= until ? Promise.reject(new Error('enough')) : Promise.resolve();
  };
  const report = (state: NodeState): void => void reports.push({ at: waited, state });
  await expect(
    keepNode(
      () => spec(waited),
      node.api,
      () => true,
      report,
      pause,
    ),
  ).rejects.toThrow('enough');
  return reports;
}

const GOOD = asking({ 'delos.dev/pool': 'gpus', rack: 'r1' }, { 'nvidia.com/gpu': 2 });
const BAD = asking({ 'delos.dev/pool': 'gpus', rack: 'r1', 'gpu-type': 'A100 80GB' });

test('the Node gets the labels and devices of the spec, and is left alone once it has them', async () => {
  const node = new OneNode();
  const reports = await kept(node, () => GOOD, 60_000);
  expect(node.labels).toEqual(GOOD.labels);
  expect([node.capacity, node.allocatable]).toEqual([{ 'nvidia.com/gpu': '2' }, { 'nvidia.com/gpu': '2' }]);
  expect(reports[0]?.state).toEqual({ kind: 'ready', text: '', asked: askedHash(GOOD) });
  expect(node.patches).toBe(4);
});

test('labels and devices that the spec no longer asks for are taken back', async () => {
  const node = new OneNode();
  const later = asking({ 'delos.dev/pool': 'cpus' });
  const changed = { ...GOOD, labels: { ...GOOD.labels, 'delos.dev/old': 'x' } };
  await kept(node, (waited) => (waited < 5000 ? changed : later), 20_000);
  // Labels that are not the platform's own may be somebody else's.
  expect(node.labels).toEqual({ 'delos.dev/pool': 'cpus', rack: 'r1' });
  expect(node.capacity).toEqual({});
});

describe('a label that the API server refuses', () => {
  test('is told with what the server said, and does not keep the pool’s label from the Node', async () => {
    const node = new OneNode();
    const [first] = await kept(node, () => BAD, 1000);
    expect(first?.state).toMatchObject({
      kind: 'refused',
      text: expect.stringMatching(/labels.*422.*"A100 80GB"/) as string,
    });
    expect(node.labels).toEqual({ 'delos.dev/pool': 'gpus' });
  });

  test('is tried again every ten seconds', async () => {
    const reports = await kept(new OneNode(), () => BAD, 60_000);
    expect(reports.map(({ at }) => at)).toEqual([0, 10_000, 20_000, 30_000, 40_000, 50_000]);
  });

  test('is forgotten at once when the spec asks for something else', async () => {
    const node = new OneNode();
    const reports = await kept(node, (waited) => (waited < 1000 ? BAD : GOOD), 2000);
    expect(reports.map(({ at, state }) => [at, state.kind])).toEqual([
      [0, 'refused'],
      [1000, 'ready'],
    ]);
    expect(node.labels).toEqual(GOOD.labels);
  });

  test('is a fault that status shows and for which `up` does not wait', () => {
    const refused = { node: { kind: 'refused', text: 'it says no', asked: askedHash(BAD) } } as const;
    expect(nodeUnkept(BAD, refused)).toBe('Node node-1: it says no');
    expect(refusalOf(BAD, refused)).toBe('Node node-1: it says no');
    // What was said of an earlier spec counts no more.
    expect(nodeUnkept(GOOD, refused)).toMatch(/not looked at yet/);
    expect(refusalOf(GOOD, refused)).toBeUndefined();
  });
});

test.each([404, 409, 429, 500, 503])(
  'an answer %i passes: it is tried again soon and counts as no refusal',
  async (status) => {
    const node = new OneNode();
    node.failing = new KubeError(status, 'busy');
    const reports = await kept(node, () => GOOD, 1000);
    expect(reports).toHaveLength(5);
    expect(reports[0]?.state).toMatchObject({
      kind: 'waiting',
      text: expect.stringContaining(`${status}, busy`) as string,
    });
  },
);
