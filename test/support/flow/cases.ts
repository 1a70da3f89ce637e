import {
  convert,
  type Diagnostic,
  type Dict,
  type ExpandedTask,
  evaluateTemplate,
  expandFlow,
  FLOW_CODES,
  parseFlowFile,
  parseTemplate,
  plainValue,
  Residual,
  type Scope,
  verdict,
  type World,
} from '@delos/flow';
import { hashFiles } from '../../../cli/src/commands/flow/files.ts';
import { AUTHORITY_WORKSPACE } from '../../../peers/src/flow-authority.ts';
import { PLACE, scopeOfData } from './answer.ts';

/** Files of a workspace, and which of them is asked about. */
export interface Case {
  readonly kind: 'batch' | 'live' | 'project' | 'action';
  readonly files: Readonly<Record<string, string>>;
  readonly path: string;
  /** Ask for the tasks too. */
  readonly values?: boolean;
}

/** The authority's answer for a case; `stage` is where it refuses. */
export interface TheirAnswer {
  readonly stage: 'load' | 'setup' | 'check' | null;
  readonly error?: string;
  readonly late?: string;
  readonly tasks?: readonly TheirTask[];
}
export interface TheirTask {
  readonly id: string;
  readonly kind?: string;
  readonly needs?: Readonly<Record<string, string>>;
  readonly matrix?: unknown;
  readonly fields?: Readonly<Record<string, unknown>>;
  readonly enable?: unknown;
  readonly cache_key?: string;
  /** It fails when it is about to start. */
  readonly late?: string;
}

export interface OurAnswer {
  readonly ok: boolean;
  readonly diagnostics: readonly Diagnostic[];
  readonly tasks: readonly ExpandedTask[];
}

/** The workspace: files of this folder can be hashed. */
export const ROOT = AUTHORITY_WORKSPACE;
const GIT = { sha: 'c0ffee', branch: 'main', tags: ['v1'] };

export function worldOf(files: Case['files']): World {
  return {
    place: PLACE,
    git: GIT,
    workspace: { root: ROOT, read: (path) => files[path.slice(ROOT.length + 1)], hashFiles },
  };
}

export function ask({ kind, files, path }: Case): OurAnswer {
  const role = kind === 'project' || kind === 'action' ? kind : 'flow';
  const file = parseFlowFile(`${ROOT}/${path}`, files[path] as string, role);
  if (role !== 'flow') return { ...verdict([file]), tasks: [] };
  const wrongKind = file.block !== undefined && file.block.name !== `${kind}Flow`;
  if (wrongKind) return { ok: false, diagnostics: [], tasks: [] };
  return expandFlow(file, path, worldOf(files));
}

/** How the two answers differ, or undefined where they agree. */
export function difference(ours: OurAnswer, theirs: TheirAnswer): string | undefined {
  const errors = ours.diagnostics.filter(({ severity }) => severity === 'error');
  const codes = errors.map(({ line, column, code, message }) => `${line}:${column} ${code} ${message}`).join('; ');
  if (theirs.stage !== null) {
    return ours.ok ? `passed here; ${theirs.stage}: ${theirs.error}` : undefined;
  }
  const late = theirs.late ?? theirs.tasks?.find((task) => task.late !== undefined)?.late;
  if (!ours.ok) {
    if (late === undefined && errors.every(({ code }) => DELIBERATE.has(code))) return undefined;
    const early = errors.filter(({ code }) => !('late' in FLOW_CODES[code]) && !DELIBERATE.has(code));
    if (late === undefined) return `refused here and passed there: ${codes}`;
    return early.length > 0 ? `refused here for what is no late fault: ${codes}; ${late}` : undefined;
  }
  if (late !== undefined) return `passed here, fails there when it runs: ${late}`;
  return theirs.tasks === undefined ? undefined : tasksDiffer(ours.tasks, theirs.tasks);
}

/** Shapes that the authority takes for something else, or breaks on once the file is used: rows of the differences. */
const DELIBERATE = new Set<string>(['FLOW_SCALAR', 'FLOW_TYPE']);
function tasksDiffer(ours: readonly ExpandedTask[], theirs: readonly TheirTask[]): string | undefined {
  const byId = new Map(ours.map((task) => [task.id, task]));
  if (byId.size !== theirs.length)
    return `tasks: ${[...byId.keys()].join(' ')} | ${theirs.map(({ id }) => id).join(' ')}`;
  for (const their of theirs) {
    const our = byId.get(their.id);
    if (our === undefined) return `task ${their.id} is missing`;
    const found = taskDiffers(our, their, byId);
    if (found !== undefined) return `${their.id}: ${found}`;
  }
  return undefined;
}

function taskDiffers(our: ExpandedTask, their: TheirTask, all: ReadonlyMap<string, ExpandedTask>): string | undefined {
  const scope = laterScope(our, all);
  const compare = (name: string, mine: unknown, other: unknown): string | undefined => {
    const [a, b] = [JSON.stringify(mine), JSON.stringify(other)];
    return a === b ? undefined : `${name}: ${a} | ${b}`;
  };
  if (their.needs !== undefined) {
    const found = compare('needs', sorted(our.needs), sorted(their.needs));
    if (found !== undefined) return found;
  }
  if (their.matrix !== undefined) {
    const found = compare('matrix', plainValue(our.matrix), their.matrix);
    if (found !== undefined) return found;
  }
  if (their.enable !== undefined) {
    const found = compare('enable', settled(our.enable, scope), their.enable);
    if (found !== undefined) return found;
  }
  for (const [name, value] of Object.entries(their.fields ?? {})) {
    const mine = our.fields[name as 'cmd'];
    const found = compare(name, settledField(name, mine, scope), name === 'env' ? sorted(value as object) : value);
    if (found !== undefined) return found;
  }
  // A key that waits for inputs cannot be compared before they are there.
  const open = our.cacheKey === null && our.cacheKeyReason?.startsWith('waits') === true;
  return their.cache_key === undefined || open ? undefined : compare('cache_key', our.cacheKey, their.cache_key);
}

const sorted = (value: object): object =>
  Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));

/** The contexts that come when a task runs, the same as the authority is given. */
function laterScope({ id: own, needs, kind, inputs }: ExpandedTask, all: ReadonlyMap<string, ExpandedTask>): Scope {
  const names = Object.entries(needs).flatMap(([id, level]) =>
    level === 'completed' ? [id.split('.').at(-1) ?? id] : [],
  );
  const dependencies = Object.fromEntries(
    names.map((id) => [id, { result: 'succeeded', outputs: { out: `${id}-value`, path: '/a b' } }]),
  );
  const base = { needs: dependencies, state: { token: 't1' }, multi: { suffix: 's1' } };
  // Inside of an action, inputs are the arguments of its call, which wait for the call's own needs.
  const caller = all.get(own.split('.').slice(0, -1).join('.'));
  const called = kind === 'stateful' || kind === 'local' ? inputs : caller?.inputs;
  const outer =
    kind === 'stateful' || kind === 'local'
      ? scopeOfData(base)
      : caller === undefined
        ? undefined
        : laterScope(caller, all);
  if (called === undefined || outer === undefined) return scopeOfData(base);
  const values = Object.fromEntries([...called].map(([name, value]) => [name, settled(value, outer)]));
  return scopeOfData({ ...base, inputs: values });
}

function settledField(name: string, value: unknown, scope: Scope): unknown {
  if (name === 'env') {
    const entries = [...(value as ReadonlyMap<string, unknown>)].map(([key, item]) => [key, settled(item, scope)]);
    return sorted(Object.fromEntries(entries));
  }
  if (!Array.isArray(value)) return settled(value, scope);
  const items = value.flatMap((item) => settled(item, scope));
  return name === 'tags' ? [...new Set(items)].sort() : items;
}

/** A value, or what a residual gives once its contexts are there. */
export function settled(value: unknown, scope: Scope): unknown {
  if (!(value instanceof Residual)) return plainValue(value as Dict);
  const result = evaluateTemplate(parseTemplate(value.$expr), scope);
  return plainValue(value.as === undefined ? result : convert(value.as, result));
}
