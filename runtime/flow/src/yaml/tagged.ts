import type { YamlFault } from './composed.ts';
import type { Span, YamlScalar } from './node.ts';
import { resolvePlain, ScalarFault } from './resolve.ts';

/** A scalar with what it means: plain ones by their look, quoted ones as text, tagged ones by their tag. */
export function scalarNode(
  text: string,
  plain: boolean,
  tag: string | undefined,
  { start, end }: Span,
  faults: YamlFault[],
): YamlScalar {
  const base = { kind: 'scalar' as const, text, start, end };
  try {
    if (tag === undefined) {
      const value = plain ? resolvePlain(text) : text;
      return { ...base, value, typed: plain && typeof value !== 'string' };
    }
    if (tag === '!') return { ...base, value: resolvePlain(text), typed: false };
    return { ...base, value: taggedScalar(tag, text), typed: tag !== 'tag:yaml.org,2002:str' };
  } catch (error) {
    if (!(error instanceof ScalarFault)) throw error;
    const hint = tag === undefined || tag === '!' ? {} : { hint: 'remove it' };
    faults.push({ kind: tag === undefined ? 'syntax' : 'tag', message: error.message, start, end, ...hint });
    return { ...base, value: text, typed: false };
  }
}

function taggedScalar(tag: string, text: string): YamlScalar['value'] {
  const name = /^tag:yaml\.org,2002:(str|int|float|bool|null)$/.exec(tag)?.[1];
  if (name === 'str') return text;
  if (name === 'null') return null;
  const value = name === undefined ? undefined : resolvePlain(text);
  const fits =
    (name === 'int' && typeof value === 'bigint') ||
    (name === 'bool' && typeof value === 'boolean') ||
    (name === 'float' && (typeof value === 'number' || typeof value === 'bigint'));
  if (!fits) throw new ScalarFault(`the tag \`${tag.replace('tag:yaml.org,2002:', '!!')}\` is not accepted here`);
  return name === 'float' ? Number(value) : (value as YamlScalar['value']);
}
