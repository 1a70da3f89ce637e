import { isLike, lacksOf, type NodeDevices, type NodeGpus, planOf, suggest } from '@delos/cluster';
import { POOL_LABEL, platformConfig } from '@delos/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';

const GIB = 2 ** 30;
const nvidia = (count: number, model?: string, memory?: number): NodeGpus => ({
  field: 'nvidiaGpu',
  count,
  model,
  memory,
});
const node = (gpus: readonly NodeGpus[], labels: Record<string, string> = {}, name = 'n'): NodeDevices => ({
  name,
  labels,
  gpus,
  unannounced: false,
  cores: 64,
  memory: 512 * GIB,
  lacks: [],
});
const poolsOf = (...nodePools: readonly object[]) =>
  platformConfig.parse({ nodePools, presets: [{ name: 'p', cpu: 1, memory: '1Gi' }] }).nodePools;
const gpu = (count: number, more: object = {}) => ({ nvidiaGpu: { count, ...more } });

describe('a node is like a pool', () => {
  test.each([
    ['with the same number of devices', nvidia(8, 'A100-SXM4-80GB'), gpu(8), true],
    ['with fewer', nvidia(4, 'A100-SXM4-80GB'), gpu(8), false],
    ['of the same model', nvidia(8, 'A100-SXM4-80GB'), gpu(8, { model: 'A100' }), true],
    ['of the same model in more words', nvidia(8, 'A100-SXM4-80GB'), gpu(8, { model: 'A100 80GB' }), true],
    ['in other letters', nvidia(1, 'GeForce-RTX-4090'), gpu(1, { model: 'rtx 4090' }), true],
    ['of a model whose name begins alike', nvidia(8, 'A100-SXM4-80GB'), gpu(8, { model: 'A10' }), false],
    ['of a model that no label tells', nvidia(8), gpu(8, { model: 'A100' }), false],
    ['of slices of that model', nvidia(7, 'A100-SXM4-40GB-MIG-1g.5gb'), gpu(7, { model: 'A100' }), false],
    ['of slices where slices are meant', nvidia(7, 'A100-SXM4-40GB-MIG-1g.5gb'), gpu(7, { model: 'A100 MIG' }), true],
    ['of shares of that model', nvidia(4, 'T4-SHARED'), gpu(4, { model: 'T4' }), false],
    ['with the memory that drivers leave', nvidia(8, 'A100', 79.6 * GIB), gpu(8, { memory: '80Gi' }), true],
    ['with half of the memory', nvidia(8, 'A100', 40 * GIB), gpu(8, { memory: '80Gi' }), false],
    [
      'with devices that are announced with nothing behind them',
      nvidia(2),
      { ...gpu(2, { model: 'A100' }), fakeGpus: true },
      true,
    ],
  ])('%s: %o %o %s', (_name, own, pool, like) => {
    const [only] = poolsOf({ name: 'a', ...pool });
    expect(only !== undefined && isLike(node([own]), only)).toBe(like);
  });

  test('only if neither has a kind of device that the other has not', () => {
    const [plain, gpus] = poolsOf({ name: 'cpu' }, { name: 'gpu', ...gpu(1) });
    if (plain === undefined || gpus === undefined) throw new Error('two pools');
    expect([isLike(node([]), plain), isLike(node([nvidia(1)]), plain), isLike(node([]), gpus)]).toEqual([
      true,
      false,
      false,
    ]);
  });
});

describe('a node gets', () => {
  const pools = poolsOf(
    { name: 'cpu' },
    { name: 'a100', ...gpu(8, { model: 'A100' }), labels: { rack: 'r1' } },
    { name: 'h100', ...gpu(8, { model: 'H100' }) },
  );
  const a100 = [nvidia(8, 'A100-SXM4-80GB')];

  test.each([
    ['the labels of the one pool that it is like', a100, {}, 'label', { rack: 'r1', [POOL_LABEL]: 'a100' }],
    ['those that it lacks', a100, { [POOL_LABEL]: 'a100' }, 'label', { rack: 'r1' }],
    ['nothing, where it has all', a100, { [POOL_LABEL]: 'a100', rack: 'r1' }, 'right', {}],
    [
      'nothing unasked, where a label has another value',
      a100,
      { [POOL_LABEL]: 'a100', rack: 'r2' },
      'other',
      { rack: 'r1' },
    ],
    [
      'nothing unasked, with the label of another pool',
      a100,
      { [POOL_LABEL]: 'h100' },
      'other',
      { rack: 'r1', [POOL_LABEL]: 'a100' },
    ],
    ['nothing, where no pool is like it', [nvidia(2, 'L4')], {}, 'none', {}],
    ['nothing, where it is labelled and no pool is like it', [nvidia(2, 'L4')], { [POOL_LABEL]: 'a100' }, 'other', {}],
  ])('%s', (_name, gpus, labels, verdict, wanted) => {
    expect(planOf(node(gpus, labels), pools)).toMatchObject({ verdict, labels: wanted });
  });

  test('nothing, while it has devices that nothing announces: it is not like a node without any', () => {
    expect(planOf({ ...node([]), unannounced: true }, pools)).toMatchObject({ verdict: 'unknown', labels: {} });
  });

  test('nothing, where two pools are alike, until somebody says which', () => {
    const two = poolsOf({ name: 'spot', ...gpu(1) }, { name: 'kept', ...gpu(1) });
    const own = [nvidia(1, 'T4')];
    expect(planOf(node(own), two)).toMatchObject({ verdict: 'several', labels: {}, pools: ['spot', 'kept'] });
    expect(planOf(node(own, { [POOL_LABEL]: 'kept' }), two).verdict).toBe('right');
  });
});

test('a node whose pool announces devices with nothing behind them lacks nothing', () => {
  const pools = poolsOf({ name: 'fake', ...gpu(1), fakeGpus: true }, { name: 'real', ...gpu(1) });
  const of = (pool: string) => lacksOf({ ...node([nvidia(1)], { [POOL_LABEL]: pool }), lacks: ['a label'] }, pools);
  expect([of('fake'), of('real')]).toEqual([[], ['a label']]);
});

describe('what is suggested for nodes that no pool is like', () => {
  const gpus = fc.uniqueArray(
    fc.record({
      field: fc.constantFrom('nvidiaGpu', 'amdGpu', 'intelGpu'),
      count: fc.integer({ min: 1, max: 16 }),
      model: fc.option(fc.stringMatching(/^[A-Za-z0-9]([A-Za-z0-9_.-]{0,60}[A-Za-z0-9])?$/), { nil: undefined }),
      memory: fc.option(
        fc.integer({ min: 4, max: 288 }).map((size) => size * GIB),
        { nil: undefined },
      ),
    }),
    { selector: ({ field }) => field, maxLength: 3 },
  );
  const anyNode = fc.record({
    gpus,
    cores: fc.integer({ min: 1, max: 512 }),
    memory: fc.integer({ min: 2, max: 4096 }).map((size) => size * GIB),
  });

  test('delos.yaml takes, and with it each of them belongs to one pool', () => {
    fc.assert(
      fc.property(fc.array(anyNode, { minLength: 1, maxLength: 6 }), (all) => {
        const nodes = all.map((own, index) => ({ ...node([]), ...own, name: `n${index}` }));
        const text = stringify(suggest(nodes, ['default']));
        const parsed = platformConfig.safeParse(parse(text));
        expect(parsed.error?.issues ?? []).toEqual([]);
        for (const each of nodes) {
          const like = (parsed.data?.nodePools ?? []).filter((pool) => isLike(each, pool));
          expect(like.length, `${each.name} in\n${text}`).toBeGreaterThan(0);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('is one pool for all with the same devices, with presets for one device and for the whole node', () => {
    const like = (name: string) => node([nvidia(8, 'H100-80GB-HBM3', 80 * GIB)], {}, name);
    expect(suggest([like('a'), like('b')], ['h100-80gb-hbm3-8'])).toEqual({
      nodePools: [
        {
          name: 'h100-80gb-hbm3-8-2',
          minSize: 2,
          maxSize: 2,
          nvidiaGpu: { count: 8, model: 'H100-80GB-HBM3', memory: '80Gi' },
        },
      ],
      presets: [
        {
          name: 'h100-80gb-hbm3-8-2-x1',
          cpu: 8,
          memory: '57Gi',
          nvidiaGpu: { count: 1, model: 'H100-80GB-HBM3', memory: '80Gi' },
          pools: ['h100-80gb-hbm3-8-2'],
        },
        {
          name: 'h100-80gb-hbm3-8-2-x8',
          cpu: 63.5,
          memory: '460Gi',
          nvidiaGpu: { count: 8, model: 'H100-80GB-HBM3', memory: '80Gi' },
          pools: ['h100-80gb-hbm3-8-2'],
        },
      ],
    });
  });
});
