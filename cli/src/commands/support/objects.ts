import { z } from 'zod';
import { REDACTED } from './redact.ts';

type Fields = Readonly<Record<string, unknown>>;
const fields = z.record(z.string(), z.unknown());
const ofSecret = z.looseObject({ kind: z.literal('Secret'), data: z.record(z.string(), z.string()).default({}) });

/** Annotations that hold another copy of the object. */
const COPIES = new Set(['kubectl.kubernetes.io/last-applied-configuration']);

/**
 * An object of Kubernetes without what is private, or long and told elsewhere: a Secret's values (their keys and sizes
 * stay), values of environment variables, who owns which field.
 */
export function withoutPrivate(object: Fields): Fields {
  const secret = ofSecret.safeParse(object);
  const shown: Fields = secret.success
    ? { ...secret.data, data: sizes(secret.data.data), stringData: undefined }
    : object;
  const cleaned = walk(shown);
  return isFields(cleaned) ? cleaned : {};
}

function sizes(data: Readonly<Record<string, string>>): Fields {
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, `${Buffer.from(value, 'base64').length} bytes`]),
  );
}

function walk(value: unknown, key = ''): unknown {
  if (Array.isArray(value)) return value.map((item: unknown) => (key === 'env' ? withoutValue(item) : walk(item)));
  if (!isFields(value)) return value;
  const kept = Object.entries(value).filter(([name]) => name !== 'managedFields' && !COPIES.has(name));
  return Object.fromEntries(kept.map(([name, inner]) => [name, walk(inner, name)]));
}

function withoutValue(item: unknown): unknown {
  return isFields(item) && 'value' in item ? { ...item, value: REDACTED } : item;
}

const isFields = (value: unknown): value is Fields => fields.safeParse(value).success && !Array.isArray(value);
