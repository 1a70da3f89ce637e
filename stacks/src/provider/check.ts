import { createHash } from 'node:crypto';
import { isObject, type JsonObject, objectAt, text } from '@delos/kube';
import type { Failure } from './failure.ts';
import { parseType } from './layout.ts';
import { refusedAnnotations, refusedType } from './unsupported.ts';
import { hasUnknown } from './wire.ts';

export const AUTONAMED = 'pulumi.com/autonamed';

export interface CheckInput {
  readonly type: string;
  readonly resourceName: string;
  readonly news: JsonObject;
  /** Inputs of the resource that is there; undefined for a new one or a replacement. */
  readonly olds: JsonObject | undefined;
  readonly randomSeed: Uint8Array;
  /** What the engine's autonaming configuration says. */
  readonly autonaming: { readonly mode: 'propose' | 'enforce' | 'disabled'; readonly name: string } | undefined;
  /** Undefined while the server does not serve the kind. */
  readonly namespaced: boolean | undefined;
  readonly defaultNamespace: string;
}

/** The inputs as they are kept and compared: complete, with a name, and with a Secret's values in their stored form. */
export function check(input: CheckInput): { readonly inputs: JsonObject; readonly failures: readonly Failure[] } {
  const failures: Failure[] = [];
  const expected = parseType(input.type);
  if (expected === undefined) {
    failures.push({ property: '', reason: `${input.type} is not kubernetes:<group/version>:<Kind>` });
    return { inputs: input.news, failures };
  }
  const refused = refusedType(input.type, input.news);
  if (refused !== undefined) {
    failures.push({ property: '', reason: refused });
    return { inputs: input.news, failures };
  }
  failures.push(...refusedAnnotations(input.news));
  for (const property of ['apiVersion', 'kind'] as const) {
    const given = input.news[property];
    if (given !== undefined && given !== expected[property]) {
      failures.push({ property, reason: `expected ${expected[property]}, as the resource's type says, got ${given}` });
    }
  }
  const named = withName({ ...input.news, ...expected }, input);
  if (text(named, 'metadata', 'name') === '') {
    failures.push({ property: 'metadata.name', reason: 'expected a name: automatic naming is disabled' });
  }
  if (input.namespaced === false && text(named, 'metadata', 'namespace') !== '') {
    failures.push({ property: 'metadata.namespace', reason: `expected none: ${expected.kind} is not namespaced` });
  }
  const placed =
    input.namespaced === true && text(named, 'metadata', 'namespace') === ''
      ? { ...named, metadata: { ...objectAt(named, 'metadata'), namespace: input.defaultNamespace } }
      : named;
  return { inputs: expected.kind === 'Secret' && expected.apiVersion === 'v1' ? withData(placed) : placed, failures };
}

function withName(object: JsonObject, input: CheckInput): JsonObject {
  const metadata = objectAt(object, 'metadata');
  if (text(metadata, 'name') !== '') return object;
  const old = objectAt(input.olds, 'metadata');
  const kept = text(old, 'annotations', AUTONAMED) === 'true' ? text(old, 'name') : '';
  const name = kept !== '' ? kept : proposedName(input, text(metadata, 'generateName'));
  if (name === '') return object;
  const annotations = { ...objectAt(metadata, 'annotations'), [AUTONAMED]: 'true' };
  return { ...object, metadata: { ...metadata, name, annotations } };
}

/** What follows `generateName` is made up here: the state must know the name before the server does. */
function proposedName(input: CheckInput, prefix: string): string {
  const suffix = createHash('sha256').update(input.randomSeed).digest('hex').slice(0, 8);
  if (prefix !== '') return `${prefix}${suffix}`;
  if (input.autonaming?.mode === 'disabled') return '';
  if (input.autonaming !== undefined && input.autonaming.name !== '') return input.autonaming.name;
  return `${input.resourceName.toLowerCase().replace(/[^a-z0-9.-]+/g, '-')}-${suffix}`;
}

/** `stringData` is write-only: kept as it is, it would differ from what the server stores at every run. */
function withData(object: JsonObject): JsonObject {
  const { stringData, ...rest } = object;
  if (!isObject(stringData) || hasUnknown(stringData)) return object;
  const encoded = Object.fromEntries(
    Object.entries(stringData).map(([key, value]) => [key, Buffer.from(String(value)).toString('base64')]),
  );
  return { ...rest, data: { ...objectAt(rest, 'data'), ...encoded } };
}
