import { at, isObject, type Json, type JsonObject, listAt, text } from '@delos/kube';
import { ready, type Verdict, waiting } from './verdict.ts';

/*
 * The annotation `pulumi.com/waitFor`: what a program says "ready" means for an object, in place of what its kind means.
 *   condition=Ready            a condition of that type is True; condition=Ready=False: has that status
 *   jsonpath={.status.phase}   there is such a value; jsonpath={.status.phase}=Bound: it is that
 *   ["…", "…"]                 all of them
 */
export const WAIT_FOR = 'pulumi.com/waitFor';

type Expectation =
  | { readonly kind: 'condition'; readonly type: string; readonly status: string }
  | { readonly kind: 'value'; readonly path: readonly (string | number)[]; readonly wanted: string | undefined };

/** @throws Error that says what is not understood */
export function parseWaitFor(annotation: string): readonly Expectation[] {
  const trimmed = annotation.trim();
  const listed: unknown = trimmed.startsWith('[') ? tryJson(trimmed) : [trimmed];
  if (!Array.isArray(listed) || listed.length === 0 || !listed.every((entry) => typeof entry === 'string')) {
    throw new Error(`${WAIT_FOR} has to be one expectation, or a JSON list of them`);
  }
  return listed.map((entry) => parseOne(entry.trim()));
}

function parseOne(entry: string): Expectation {
  const condition = /^condition=([^=\s]+)(?:=(.+))?$/.exec(entry);
  if (condition?.[1] !== undefined) {
    return { kind: 'condition', type: condition[1], status: condition[2] ?? 'True' };
  }
  const value = /^jsonpath=\{((?:\.[A-Za-z_][\w-]*|\[\d+\]|\['[^']+'\])+)\}(?:={1,2}(.*))?$/.exec(entry);
  if (value?.[1] !== undefined) {
    const path = [...value[1].matchAll(/\[(\d+)\]|\['([^']+)'\]|\.([\w-]+)/g)].map(([, index, quoted, name]) =>
      index !== undefined ? Number(index) : (quoted ?? name ?? ''),
    );
    return { kind: 'value', path, wanted: value[2] };
  }
  throw new Error(
    `${WAIT_FOR} does not understand ${JSON.stringify(entry)}; expected condition=TYPE[=STATUS], or ` +
      'jsonpath={.a.b[0]}[=VALUE] of plain names and indices',
  );
}

function tryJson(content: string): unknown {
  try {
    return JSON.parse(content);
  } catch {
    return undefined;
  }
}

/** What the annotation asks of the object as it is now. */
export function judgeWaitFor(object: JsonObject, annotation: string): Verdict {
  const missing = parseWaitFor(annotation).find((expected) => !holds(object, expected));
  if (missing === undefined) return ready;
  if (missing.kind === 'condition') return waiting(`condition ${missing.type} is not ${missing.status} yet`);
  const now = at(object, ...missing.path);
  const wanted = missing.wanted === undefined ? 'there' : missing.wanted;
  return waiting(`${missing.path.join('.')} is not ${wanted} yet${now === undefined ? '' : `, but ${say(now)}`}`);
}

function holds(object: JsonObject, expected: Expectation): boolean {
  if (expected.kind === 'condition') {
    return listAt(object, 'status', 'conditions')
      .filter(isObject)
      .some(
        (item) =>
          text(item, 'type').toLowerCase() === expected.type.toLowerCase() &&
          text(item, 'status').toLowerCase() === expected.status.toLowerCase(),
      );
  }
  const value = at(object, ...expected.path);
  return value !== undefined && (expected.wanted === undefined || say(value) === expected.wanted);
}

const say = (value: Json): string => (typeof value === 'string' ? value : JSON.stringify(value));
