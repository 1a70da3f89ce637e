import { isObject, type Json, type JsonObject, type Path } from '@delos/kube';
import structPb from 'google-protobuf/google/protobuf/struct_pb.js';

/*
 * Property values between engine and provider: a protobuf Struct in which a secret is an object with a signature and
 * an unknown (an output of something not yet made) a fixed string. Source: pulumi/sdk, resource/plugin/rpc.go.
 */
const SIGNATURE = '4dabf18193072939515e22adb298388d';
const SECRET = '1b47061264138c4ac30d75fd1eb44270';
export const UNKNOWN = '04da6b54-80e4-46f7-96ec-b56ff0331ba9';

export interface Decoded {
  /** Without secret wrappers, and without null members. */
  readonly value: JsonObject;
  /** Where the wrappers were. */
  readonly secrets: readonly Path[];
}

export function decode(struct: structPb.Struct | undefined): Decoded {
  const secrets: Path[] = [];
  const walk = (value: unknown, path: Path): Json => {
    if (Array.isArray(value)) return value.map((item, index) => walk(item, [...path, index]));
    if (!isObject(value)) return value as Json;
    if (value[SIGNATURE] === SECRET) {
      secrets.push(path);
      return walk(value.value ?? null, path);
    }
    return Object.fromEntries(
      Object.entries(value)
        .filter(([, item]) => item !== null)
        .map(([key, item]) => [key, walk(item, [...path, key])]),
    );
  };
  const value = walk(struct?.toJavaScript() ?? {}, []);
  return { value: isObject(value) ? value : {}, secrets };
}

/** Wraps what lies at the given paths as secrets; paths that lead nowhere are left out. */
export function encode(value: JsonObject, secrets: readonly Path[] = []): structPb.Struct {
  const marked = new Set(secrets.map((path) => JSON.stringify(path)));
  const walk = (item: Json, path: Path): Json => {
    const inner: Json = Array.isArray(item)
      ? item.map((child: Json, index) => walk(child, [...path, index]))
      : isObject(item)
        ? Object.fromEntries(Object.entries(item).map(([key, child]) => [key, walk(child, [...path, key])]))
        : item;
    return marked.size > 0 && path.length > 0 && marked.has(JSON.stringify(path))
      ? { [SIGNATURE]: SECRET, value: inner }
      : inner;
  };
  return structPb.Struct.fromJavaScript(walk(value, []) as Record<string, structPb.JavaScriptValue>);
}

/** True where some value is not known until another resource is made. */
export function hasUnknown(value: Json | undefined): boolean {
  if (typeof value === 'string') return value === UNKNOWN;
  if (Array.isArray(value)) return value.some((item: Json) => hasUnknown(item));
  return isObject(value) && Object.values(value).some((item) => hasUnknown(item));
}
