import { Dict, Path, Status, Struct, Url, type Value, valueError } from '../../python/value.ts';
import { volume } from './place.ts';

/** Facts of the repository that a flow lies in. */
export interface GitFacts {
  readonly sha: string;
  readonly branch: string;
  readonly tags: readonly string[];
}

/** `git`; without facts every field of it is an error, as the authority has it. */
export function git(facts: GitFacts | null): Struct {
  const info =
    facts === null ? null : new Struct('GitInfo', { sha: facts.sha, branch: facts.branch, tags: facts.tags });
  const field = (name: string) => () => {
    if (info === null) throw valueError('the state of git is not known here: only fields of a task may use it');
    return info.fields[name] as Value;
  };
  return new Struct('GitCtx', { _git_info: info }, { sha: field('sha'), branch: field('branch'), tags: field('tags') });
}

/** One entry of `needs`. */
export function dependency(result: string, outputs: Dict): Struct {
  return new Struct('DepCtx', { result: new Status(result), outputs });
}

type Plain = Readonly<Record<string, Value>>;

/** Which objects the contexts are, so that plain data can stand for them: `delos flow eval --context`. */
const OBJECTS: Readonly<Record<string, (fields: Plain) => Value>> = {
  project: (fields) => new Struct('ProjectCtx', { id: '', project_name: '', owner: null, ...fields }),
  flow: (fields) => new Struct('FlowCtx', { ...fields, ...paths(fields, ['workspace', 'action_path'], true) }),
  git: (fields) =>
    git({
      sha: String(fields.sha ?? ''),
      branch: String(fields.branch ?? ''),
      tags: (fields.tags ?? []) as readonly string[],
    }),
  multi: (fields) => new Struct('MultiCtx', fields),
  strategy: (fields) => new Struct('StrategyCtx', { fail_fast: true, max_parallel: 10n, ...fields }),
};

const ENTRIES: Readonly<Record<string, (fields: Plain, id: string) => Value>> = {
  needs: (fields) =>
    dependency(String(fields.result ?? 'succeeded'), fields.outputs instanceof Dict ? fields.outputs : new Dict()),
  volumes: (fields, id) =>
    volume({
      id,
      remote: new Url(String(fields.remote ?? '')),
      mount: new Path(String(fields.mount ?? ''), false),
      readOnly: fields.read_only === true,
      local: typeof fields.local === 'string' ? new Path(fields.local, true) : null,
      fullLocalPath: typeof fields.full_local_path === 'string' ? new Path(fields.full_local_path, true) : null,
    }),
  images: (fields, id) => new Struct('ImageCtx', { id, ...fields }),
};

function paths(fields: Plain, names: readonly string[], local: boolean): Plain {
  return Object.fromEntries(
    names.flatMap((name) => (typeof fields[name] === 'string' ? [[name, new Path(fields[name], local)]] : [])),
  );
}

/** Contexts of plain JSON data, with the objects in the places where the language has some. */
export function contextsOf(data: Dict): Readonly<Record<string, Value>> {
  return Object.fromEntries(
    [...data.entries()].map(([key, value]) => {
      const name = String(key);
      const object = OBJECTS[name];
      const entry = ENTRIES[name];
      if (object !== undefined && value instanceof Dict) return [name, object(plain(value))];
      if (entry !== undefined && value instanceof Dict) {
        const entries = [...value.entries()].map(([id, item]) => {
          return [id, item instanceof Dict ? entry(plain(item), String(id)) : item] as const;
        });
        return [name, new Dict(entries)];
      }
      return [name, value];
    }),
  );
}

const plain = (value: Dict): Plain =>
  Object.fromEntries([...value.entries()].map(([key, item]) => [String(key), item]));
