import {
  ALWAYS,
  contextJson,
  Dict,
  type Home,
  type ImageDefinition,
  isKnown,
  isList,
  iterate,
  type Known,
  type Scope as Names,
  type Outside,
  scopeOf,
  settle,
  settledCacheKey,
  str,
  truthy,
  type UnitFields,
  type Value,
} from '@delos/flow';
import type { BakeImage, BuildSpec } from '../model/image.ts';
import { type JobSpec, jobOf } from '../model/job.ts';
import type { Texts } from '../model/records.ts';
import { needsContext, textsDict } from '../state/gate.ts';
import type { TaskNode } from '../state/node.ts';

const EMPTY = new Dict();
const EMPTY_JSON = '{}';

/** Values of tasks once what they wait for is there. Each throws EvalFault or PythonError where there is none. */
export class Values {
  readonly #home: Home;
  readonly #outside: Outside;
  readonly #nodes: ReadonlyMap<string, TaskNode>;

  constructor(home: Home, outside: Outside, nodes: ReadonlyMap<string, TaskNode>) {
    this.#home = home;
    this.#outside = outside;
    this.#nodes = nodes;
  }

  /** Whether a task runs; `always()` is a value of its own. */
  enable(node: TaskNode): Value {
    return this.#outer(node, node.task.enable);
  }

  /** What runs, with the key of its result where it is kept. `tags`: further ones of the job. */
  job(node: TaskNode, tags: readonly string[]): { readonly job: JobSpec; readonly key: string | undefined } {
    const fields = this.#fields(node);
    const { run } = node.task;
    if (fields.image === null) throw new RangeError('there is no image');
    const { strategy, cache } = run;
    const key =
      cache.strategy === 'none'
        ? undefined
        : settledCacheKey({ id: run.givenId, cache, strategy }, fields, this.enable(node), {
            needs: node.gate?.json ?? EMPTY_JSON,
            state: run.stateFrom === undefined ? EMPTY_JSON : contextJson(this.#state(node)),
          });
    return { job: jobOf(fields, tags), key };
  }

  /** A local action's command. */
  command(node: TaskNode): string {
    const value = this.#value(node.task.fields.cmd ?? null, node, () => this.#within(node));
    return typeof value === 'string' ? value : '';
  }

  /** Outputs of a call whose tasks have all ended well. */
  outputs(call: TaskNode): Texts {
    const { outputs } = call.task.run;
    if (outputs.size === 0) return {};
    const names = this.#names({ needs: needsContext(call.children), state: EMPTY, inputs: this.#inputsOf(call) });
    return Object.fromEntries(
      [...outputs].map(([name, value]) => [name, str(settle(value, names, this.#home))] as const),
    );
  }

  /** A field of an image, which sees the inputs of the call that it is defined in. */
  imageField(value: Known, call: TaskNode | undefined): Value {
    return isKnown(value) ? value : settle(value, this.#imageNames(call), this.#home);
  }

  /** What builds an image. @throws RangeError where nothing says from what */
  build(image: BakeImage, defined: ImageDefinition, call: TaskNode | undefined): BuildSpec {
    const of = (value: Known): Value => this.imageField(value, call);
    const several = (values: readonly Known[]): readonly Value[] =>
      values.map(of).flatMap((value) => (isList(value) ? [...iterate(value)] : [value]));
    const text = (value: Known): string | null => {
      const found = of(value);
      return found === null ? null : str(found);
    };
    const context = image.context ?? text(defined.context);
    const dockerfile = image.dockerfile ?? defined.dockerfileRel ?? within(context, text(defined.dockerfile));
    if (context === null || dockerfile === null) {
      const lacks = context === null ? (dockerfile === null ? 'context and dockerfile' : 'context') : 'dockerfile';
      throw new RangeError(`image ${image.ref} is not there, and cannot be built: ${lacks} not specified`);
    }
    const env = [...defined.env].flatMap(([name, value]): readonly (readonly [string, string])[] => {
      const found = of(value);
      if (name !== '$expr') return [[name, str(found)]];
      return found instanceof Dict ? [...found.entries()].map(([key, item]) => [str(key), str(item)] as const) : [];
    });
    return {
      ref: image.ref,
      context,
      dockerfile,
      args: several(defined.buildArgs).map(str),
      env: Object.fromEntries(env),
      volumes: several(defined.volumes).filter(truthy).map(str),
      preset: text(defined.preset),
      kanikoArgs: text(defined.kanikoArgs),
    };
  }

  #imageNames(call: TaskNode | undefined): Names {
    const inputs = call === undefined ? undefined : this.#inputsOf(call);
    return this.#names({ needs: EMPTY, state: EMPTY, ...(inputs === undefined ? {} : { inputs }) });
  }

  #fields(node: TaskNode): UnitFields {
    const fields = node.task.fields as UnitFields;
    const names = (): Names => this.#within(node);
    let made: Names | undefined;
    const of = (value: Known): Value => {
      if (isKnown(value)) return value;
      return this.#value(value, node, () => (made ??= names()));
    };
    const several = (values: readonly Known[]): readonly Value[] => values.map(of);
    return {
      ...(Object.fromEntries(SINGLE.map((name) => [name, of(fields[name] ?? null)])) as unknown as UnitFields),
      volumes: several(fields.volumes).filter(truthy),
      tags: [...new Set(several(fields.tags).map(str))].sort(),
      env: new Map([...fields.env].map(([key, value]) => [key, of(value)])),
    };
  }

  /** A value that is the same for all that share their needs is found once. */
  #value(value: Known, node: TaskNode, names: () => Names): Value {
    if (isKnown(value)) return value;
    const { gate } = node;
    const shared = gate !== undefined && value.waits.every((name) => name === 'needs');
    if (!shared) return settle(value, names(), this.#home);
    const text = `${value.as ?? ''} ${value.$expr}`;
    const known = gate.values.get(text);
    if (known !== undefined) return known;
    const found = settle(value, names(), this.#home);
    gate.values.set(text, found);
    return found;
  }

  #outer(node: TaskNode, value: Known): Value {
    return this.#value(value, node, () => this.#around(node));
  }

  /** Contexts of a task's own place: needs, states, and the inputs of the call that it lies in. */
  #around(node: TaskNode): Names {
    const inputs = node.parent === undefined ? undefined : this.#inputsOf(node.parent);
    const needs = node.gate?.context ?? EMPTY;
    return this.#names({ needs, state: this.#state(node), ...(inputs === undefined ? {} : { inputs }) });
  }

  /** What a stateful or local action sees: its inputs alone. Others see what is around them. */
  #within(node: TaskNode): Names {
    const { kind } = node.task;
    return kind === 'stateful' || kind === 'local' ? this.#names({ inputs: this.#inputsOf(node) }) : this.#around(node);
  }

  #inputsOf(node: TaskNode): Dict {
    if (node.inputs === undefined) {
      const inputs = new Dict();
      for (const [name, value] of node.task.inputs ?? []) inputs.set(name, this.#outer(node, value));
      node.inputs = inputs;
    }
    return node.inputs;
  }

  #state(node: TaskNode): Dict {
    const { stateFrom } = node.task.run;
    const main = stateFrom === undefined ? undefined : this.#nodes.get(stateFrom);
    return main === undefined ? EMPTY : textsDict(main.state);
  }

  #names(contexts: Readonly<Record<string, Value>>): Names {
    return scopeOf(contexts, { outside: this.#outside });
  }
}

/** A file from the folder on that it lies in, where both are said in one way. */
function within(folder: string | null, file: string | null): string | null {
  if (folder === null || file === null) return null;
  const base = folder.endsWith('/') ? folder : `${folder}/`;
  if (!file.startsWith(base)) throw new RangeError(`${file} does not lie within ${folder}`);
  return file.slice(base.length);
}

export const isAlways = (value: Value): boolean => value === ALWAYS;

const SINGLE = [
  'title',
  'name',
  'image',
  'preset',
  'schedule_timeout',
  'http_port',
  'http_auth',
  'pass_config',
  'entrypoint',
  'cmd',
  'workdir',
  'life_span',
  'restart',
] as const;
