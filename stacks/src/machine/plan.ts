import { type Facts, type Recorded, rootMode, type UnitFacts } from './facts.ts';
import { type Content, digestOf, type Part, UNITS } from './part.ts';

/** One step. Each may be done again, and the machine may be left between any two. */
export type Step =
  | { readonly do: 'record'; readonly entries: readonly Recorded[] }
  | { readonly do: 'put'; readonly path: string; readonly mode: number; readonly content: Content }
  | { readonly do: 'unpack'; readonly path: string; readonly source: string }
  | { readonly do: 'remove'; readonly path: string }
  | { readonly do: 'end'; readonly unit: string }
  | { readonly do: 'reload' }
  /** Notes that the unit must start. */
  | { readonly do: 'mark'; readonly unit: string }
  | { readonly do: 'enable'; readonly unit: string }
  | { readonly do: 'start'; readonly unit: string; readonly guards?: string | undefined }
  | { readonly do: 'forget' };

export interface Difference {
  /** Property of the part. */
  readonly of: 'files' | 'trees' | 'units' | 'record';
  readonly name: string;
  /** In words. */
  readonly what: string;
}

export interface Plan {
  readonly differences: readonly Difference[];
  /** None where nothing differs. */
  readonly steps: readonly Step[];
}

/** What makes a machine as a part says. @throws Error naming what the machine lacks */
export function planOf(part: Part, facts: Facts): Plan {
  refuseLacking(part, facts);
  const wanted = recordOf(part);
  const isWanted = ({ kind, name }: Recorded): boolean => wanted.some((one) => one.kind === kind && one.name === name);
  const gone = facts.recorded.filter((one) => !isWanted(one));
  const { differences, puts, unpacks } = differing(part, facts);
  for (const { kind, name } of gone) differences.push({ of: 'record', name, what: `${kind} is not wanted any more` });
  const isRecorded = JSON.stringify(sorted(facts.recorded)) === JSON.stringify(sorted(wanted));
  if (!isRecorded && gone.length === 0)
    differences.push({ of: 'record', name: part.name, what: 'is not recorded whole' });
  if (differences.length === 0) return { differences, steps: [] };
  const changed = new Set([...puts, ...unpacks].map(({ path }) => path));
  const starts = Object.entries(part.units).filter(
    ([name, { reads }]) => mustStart(part, name, facts.units.get(name)) || reads.some((path) => changed.has(path)),
  );
  const units = Object.entries(part.units);
  const stale = units.some(([name]) => facts.units.get(name)?.stale === true);
  const touched = puts.some(({ path }) => path.startsWith(UNITS)) || gone.some(({ kind }) => kind === 'unit');
  return {
    differences,
    steps: [
      { do: 'record', entries: union(facts.recorded, wanted) },
      ...gone.flatMap(({ kind, name }): Step[] => (kind === 'unit' ? [{ do: 'end', unit: name }] : [])),
      // Else who is interrupted before the start would not know of it any more.
      ...starts.map(([unit]): Step => ({ do: 'mark', unit })),
      ...puts,
      ...unpacks,
      ...gone.flatMap(({ kind, name }): Step[] =>
        kind === 'file' || kind === 'tree' ? [{ do: 'remove', path: name }] : [],
      ),
      ...(stale || touched ? [{ do: 'reload' } as const] : []),
      // One that guards is enabled when it has proved that it locks nobody out.
      ...units.flatMap(([name, { guards }]): Step[] =>
        guards === undefined && facts.units.get(name)?.enabled !== true ? [{ do: 'enable', unit: name }] : [],
      ),
      ...starts.map(([unit, { guards }]): Step => ({ do: 'start', unit, guards })),
      { do: 'record', entries: wanted },
    ],
  };
}

/** What takes a part from a machine: all that its record names, but data. */
export function removalOf(facts: Facts): readonly Step[] {
  const { recorded } = facts;
  if (recorded.length === 0) return [];
  return [
    ...recorded.flatMap(({ kind, name }): Step[] => (kind === 'unit' ? [{ do: 'end', unit: name }] : [])),
    ...recorded.flatMap(({ kind, name }): Step[] =>
      kind === 'file' || kind === 'tree' ? [{ do: 'remove', path: name }] : [],
    ),
    { do: 'reload' },
    { do: 'forget' },
  ];
}

function refuseLacking({ needs }: Part, { lacking }: Facts): void {
  const [first] = lacking;
  if (first === undefined) return;
  const packages = lacking.map((command) => needs.find((need) => need.command === command)?.package ?? command);
  throw new Error(
    `the machine has no ${lacking.join(', ')}; expected Debian 12 or later with systemd. Run there: apt-get install ${packages.join(' ')}`,
  );
}

function differing(part: Part, facts: Facts) {
  const differences: Difference[] = [];
  const puts: Extract<Step, { do: 'put' }>[] = [];
  const unpacks: Extract<Step, { do: 'unpack' }>[] = [];
  for (const [path, { mode, content }] of Object.entries(part.files)) {
    const found = facts.files.get(path);
    const what =
      found === undefined
        ? 'is not there'
        : found.sha256 !== digestOf(content)
          ? 'has another content'
          : found.mode !== rootMode(mode)
            ? `has mode and owner ${found.mode}, expected ${rootMode(mode)}`
            : undefined;
    if (what === undefined) continue;
    differences.push({ of: 'files', name: path, what });
    puts.push({ do: 'put', path, mode, content });
  }
  for (const [path, { source, digest }] of Object.entries(part.trees)) {
    const found = facts.trees.get(path);
    if (found === digest) continue;
    differences.push({ of: 'trees', name: path, what: found === undefined ? 'is not there' : 'has other files' });
    unpacks.push({ do: 'unpack', path, source });
  }
  for (const name of Object.keys(part.units)) {
    const found = facts.units.get(name);
    if (mustStart(part, name, found)) {
      const what = found?.active !== true ? 'does not run' : found.whole ? 'runs with former files' : 'is not whole';
      differences.push({ of: 'units', name, what });
    } else if (found?.enabled !== true) differences.push({ of: 'units', name, what: 'is not enabled' });
    else if (found.stale) differences.push({ of: 'units', name, what: 'is not as systemd knows it' });
  }
  return { differences, puts, unpacks };
}

const mustStart = (part: Part, name: string, found: UnitFacts | undefined): boolean =>
  found?.active !== true || !found.whole || found.stamp !== part.units[name]?.stamp;

/** All that a part makes. */
export const recordOf = ({ files, trees, units, data }: Part): readonly Recorded[] => [
  ...Object.keys(units).map((name): Recorded => ({ kind: 'unit', name })),
  ...Object.keys(files).map((name): Recorded => ({ kind: 'file', name })),
  ...Object.keys(trees).map((name): Recorded => ({ kind: 'tree', name })),
  ...data.map((name): Recorded => ({ kind: 'data', name })),
];

const sorted = (entries: readonly Recorded[]): readonly string[] =>
  entries.map(({ kind, name }) => `${kind} ${name}`).toSorted();

function union(before: readonly Recorded[], after: readonly Recorded[]): readonly Recorded[] {
  const all = new Map([...before, ...after].map((one) => [`${one.kind} ${one.name}`, one]));
  return [...all.values()];
}
