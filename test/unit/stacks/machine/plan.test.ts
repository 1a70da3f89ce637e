import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Facts, lookScript, parseFacts, type Recorded, rootMode } from '../../../../stacks/src/machine/facts.ts';
import { digestOf, type Part, treeDigest, UNITS, withStamps } from '../../../../stacks/src/machine/part.ts';
import { planOf, recordOf, removalOf, type Step } from '../../../../stacks/src/machine/plan.ts';
import { applyScript } from '../../../../stacks/src/machine/script.ts';

/** What the steps mean, on paper. */
interface Paper {
  readonly files: Map<string, { sha256: string; mode: string }>;
  readonly trees: Map<string, string>;
  /** Unit → the stamp of its start, and of the unit file that it was started by. */
  readonly running: Map<string, { stamp: string; by: string }>;
  readonly enabled: Set<string>;
  recorded: readonly Recorded[];
  readonly starts: string[];
}

const paper = (): Paper => ({
  files: new Map(),
  trees: new Map(),
  running: new Map(),
  enabled: new Set(),
  recorded: [],
  starts: [],
});

const factsOf = (at: Paper, parts: Part): Facts => ({
  files: new Map([...at.files].filter(([path]) => path in parts.files)),
  trees: new Map([...at.trees].filter(([path]) => path in parts.trees)),
  units: new Map(
    Object.keys(parts.units).map((name) => [
      name,
      {
        active: at.running.has(name),
        enabled: at.enabled.has(name),
        stale: false,
        stamp: at.running.get(name)?.stamp ?? '',
        whole: true,
      },
    ]),
  ),
  recorded: at.recorded,
  lacking: [],
});

function doStep(at: Paper, part: Part, step: Step): void {
  switch (step.do) {
    case 'record':
      at.recorded = step.entries;
      break;
    case 'put':
      at.files.set(step.path, { sha256: digestOf(step.content), mode: rootMode(step.mode) });
      break;
    case 'unpack':
      at.trees.set(step.path, part.trees[step.path]?.digest ?? '');
      break;
    case 'remove':
      at.files.delete(step.path);
      at.trees.delete(step.path);
      break;
    case 'end':
      at.running.delete(step.unit);
      at.enabled.delete(step.unit);
      break;
    case 'mark': {
      const running = at.running.get(step.unit);
      if (running !== undefined) at.running.set(step.unit, { ...running, stamp: '' });
      break;
    }
    case 'enable':
      at.enabled.add(step.unit);
      break;
    case 'start':
      at.starts.push(step.unit);
      at.running.set(step.unit, {
        stamp: part.units[step.unit]?.stamp ?? '',
        by: at.files.get(`${UNITS}/${step.unit}`)?.sha256 ?? '',
      });
      break;
    case 'reload':
    case 'forget':
      break;
  }
}

const PATHS = ['/etc/delos-aux/a', '/etc/delos-aux/b', '/opt/delos-aux/c'] as const;
const NAMES = ['delos-x', 'delos-y'] as const;
const unitText = (said: string): string =>
  `[Service]\nExecStart=/bin/${said}\n\n[Install]\nWantedBy=multi-user.target\n`;

const parts = fc
  .record({
    files: fc.dictionary(
      fc.constantFrom(...PATHS),
      fc.record({ text: fc.string(), mode: fc.constantFrom(0o600, 0o644) }),
    ),
    units: fc.dictionary(fc.constantFrom(...NAMES), fc.constantFrom('one', 'two')),
    tree: fc.option(fc.constantFrom('a', 'b'), { nil: undefined }),
  })
  .map(({ files, units, tree }) =>
    withStamps({
      name: 'part',
      files: Object.fromEntries(
        Object.entries(files).map(([path, { text, mode }]) => [path, { mode, content: { text } }]),
      ),
      trees: tree === undefined ? {} : { '/opt/delos-aux/tree': { source: '/x', digest: tree.repeat(64) } },
      units: Object.entries(units).map(([name, said]) => ({
        name: `${name}.service`,
        text: unitText(said),
        reads: Object.keys(files),
      })),
      data: ['/var/lib/delos-x'],
    }),
  );

const converge = (at: Paper, part: Part): void => {
  for (const step of planOf(part, factsOf(at, part)).steps) doStep(at, part, step);
};

describe('a plan', () => {
  test('is empty once it was carried out, and only what it names is there', () => {
    fc.assert(
      fc.property(parts, parts, (first, second) => {
        const at = paper();
        for (const part of [first, second]) {
          converge(at, part);
          expect(planOf(part, factsOf(at, part))).toEqual({ differences: [], steps: [] });
          expect([...at.files.keys()].toSorted()).toEqual(Object.keys(part.files).toSorted());
          expect([...at.running.keys()].toSorted()).toEqual(Object.keys(part.units).toSorted());
        }
      }),
    );
  });

  test('goes on where it was interrupted, at any step, and leaves no process with former files', () => {
    fc.assert(
      fc.property(parts, parts, fc.nat(20), fc.nat(20), (first, second, cut, again) => {
        const at = paper();
        converge(at, first);
        for (const length of [cut, again]) {
          for (const step of planOf(second, factsOf(at, second)).steps.slice(0, length)) doStep(at, second, step);
        }
        converge(at, second);
        expect(planOf(second, factsOf(at, second)).differences).toEqual([]);
        expect([...at.files.keys()].toSorted()).toEqual(Object.keys(second.files).toSorted());
        for (const [name, { by }] of at.running) expect(by).toBe(at.files.get(`${UNITS}/${name}`)?.sha256);
      }),
    );
  });

  test('starts nothing whose files are as they were', () => {
    fc.assert(
      fc.property(parts, fc.constantFrom(...NAMES), (part, name) => {
        const unit = `${name}.service`;
        if (!(unit in part.units)) return;
        const at = paper();
        converge(at, part);
        at.starts.length = 0;
        at.files.set(`${UNITS}/${unit}`, { sha256: 'changed by hand', mode: rootMode(0o644) });
        converge(at, part);
        expect(at.starts).toEqual([unit]);
      }),
    );
  });

  test('is refused where the machine lacks a program, and names its package', () => {
    const part = withStamps({ name: 'p', needs: [{ command: 'nft', package: 'nftables' }], files: {}, units: [] });
    const facts: Facts = { files: new Map(), trees: new Map(), units: new Map(), recorded: [], lacking: ['nft'] };
    expect(() => planOf(part, facts)).toThrow(/no nft.*apt-get install nftables/);
  });
});

describe('a removal', () => {
  test('takes all that was ever begun, but no data', () => {
    fc.assert(
      fc.property(parts, fc.nat(20), (part, cut) => {
        const at = paper();
        for (const step of planOf(part, factsOf(at, part)).steps.slice(0, cut)) doStep(at, part, step);
        const steps = removalOf(factsOf(at, part));
        for (const step of steps) doStep(at, part, step);
        expect([at.files.size, at.trees.size, at.running.size, at.enabled.size]).toEqual([0, 0, 0, 0]);
        expect(steps.filter((step) => step.do === 'remove' && step.path.startsWith('/var'))).toEqual([]);
      }),
    );
  });
});

test('what a machine says is read as it is, and not where it was cut off', () => {
  const text = [
    'file\t/etc/x\tabc\t644:0:0',
    'tree\t/opt/t\tdef',
    'unit\ta.service\tActiveState=active UnitFileState=enabled NeedDaemonReload=no \tstamp\twhole',
    'unit\tb.service\tActiveState=activating UnitFileState=disabled NeedDaemonReload=yes \t\tbroken',
    'recorded\tfile\t/etc/x',
    'lacking\tnft',
    'end',
  ];
  const facts = parseFacts(text.join('\n'));
  expect(facts.files.get('/etc/x')).toEqual({ sha256: 'abc', mode: '644:0:0' });
  expect(facts.units.get('a.service')).toEqual({
    active: true,
    enabled: true,
    stale: false,
    stamp: 'stamp',
    whole: true,
  });
  expect(facts.units.get('b.service')).toEqual({ active: false, enabled: false, stale: true, stamp: '', whole: false });
  expect([facts.trees.get('/opt/t'), facts.recorded, facts.lacking]).toEqual([
    'def',
    [{ kind: 'file', name: '/etc/x' }],
    ['nft'],
  ]);
  expect(() => parseFacts(text.slice(0, -1).join('\n'))).toThrow('cut off');
});

test('a tree’s digest is that of sha256sum’s lines, in the order of bytes', () => {
  const one = treeDigest([
    { path: 'b', sha256: '2'.repeat(64) },
    { path: 'B', sha256: '1'.repeat(64) },
  ]);
  expect(one).toBe(
    treeDigest([
      { path: 'B', sha256: '1'.repeat(64) },
      { path: 'b', sha256: '2'.repeat(64) },
    ]),
  );
});

test('no text of a file is in a script, which others could see', () => {
  const part = withStamps({
    name: 'p',
    files: { '/etc/delos-aux/secret': { mode: 0o600, content: { text: 'hush' } } },
    units: [],
  });
  const facts: Facts = { files: new Map(), trees: new Map(), units: new Map(), recorded: [], lacking: [] };
  const { steps } = planOf(part, facts);
  expect(applyScript('p', steps, () => '"$P"/0') + lookScript(part)).not.toContain('hush');
  expect(recordOf(part)).toEqual([{ kind: 'file', name: '/etc/delos-aux/secret' }]);
});
