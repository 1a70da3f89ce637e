import type { DeviceClass, Node, Preset, Snapshot } from './model.ts';

/** Where a value stands in the document. */
export type Path = readonly (string | number)[];

/** One thing that contradicts another; `path` leads to it in the document. */
export interface SnapshotFault {
  readonly path: Path;
  readonly message: string;
  readonly hint: string;
}

/** What references lead to, by name, and the scopes below each scope: looked up, so that a million jobs are judged in one pass. */
export interface Known {
  readonly pools: ReadonlyMap<string, unknown>;
  readonly nodes: ReadonlyMap<string, Node>;
  readonly presets: ReadonlyMap<string, Preset>;
  readonly scopes: ReadonlyMap<string, unknown>;
  readonly volumes: ReadonlyMap<string, unknown>;
  readonly classes: ReadonlyMap<string, DeviceClass>;
  readonly below: ReadonlyMap<string, readonly string[]>;
}

export function knownIn({ pools, nodes, presets, scopes, volumes, deviceClasses = [] }: Snapshot): Known {
  const byName = <T extends { readonly name: string }>(things: readonly T[]): ReadonlyMap<string, T> =>
    new Map(things.map((each) => [each.name, each]));
  const below = new Map<string, string[]>();
  for (const { name, parent } of scopes) {
    if (parent === undefined) continue;
    const names = below.get(parent);
    if (names === undefined) below.set(parent, [name]);
    else names.push(name);
  }
  return {
    pools: byName(pools),
    nodes: byName(nodes),
    presets: byName(presets),
    scopes: byName(scopes),
    volumes: byName(volumes),
    classes: byName(deviceClasses),
    below,
  };
}

export function twice(list: string, kind: string, names: readonly string[], field: string): readonly SnapshotFault[] {
  const first = new Map<string, number>();
  return names.flatMap((name, index) => {
    const before = first.get(name);
    if (before === undefined) {
      first.set(name, index);
      return [];
    }
    return [
      {
        path: [list, index, field],
        message: `two ${kind}s are called ${name}`,
        hint: `the other is ${list}[${before}]; give each a ${field} of its own`,
      },
    ];
  });
}

/** Nothing where a name is known. */
export function reference(
  path: Path,
  kind: string,
  name: string,
  known: ReadonlyMap<string, unknown>,
): readonly SnapshotFault[] {
  if (known.has(name)) return [];
  const some = [...known.keys()].slice(0, 8);
  const hint =
    some.length === 0 ? `no ${kind} is defined` : `there are: ${some.join(', ')}${known.size > 8 ? ', …' : ''}`;
  return [{ path, message: `there is no ${kind} ${name}`, hint }];
}

/** An instant of the past that is none. */
export function later(path: Path, at: number, now: number): SnapshotFault {
  return {
    path,
    message: `${at} is later than now, which is ${now}`,
    hint: 'correct it, or set `now`: both are milliseconds',
  };
}
