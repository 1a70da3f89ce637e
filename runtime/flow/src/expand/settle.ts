import { parseTemplate } from '../expr/parser.ts';
import type { Scope } from '../expr/scope.ts';
import type { Part } from '../expr/syntax.ts';
import { evaluateTemplate } from '../expr/template.ts';
import { convert } from '../file/convert.ts';
import { str } from '../python/text.ts';
import type { Value } from '../python/value.ts';
import { type Place, platformUri } from './contexts/place.ts';
import { isKnown, type Known } from './outcome.ts';

/** Where a flow runs: its place, and the platform project that its addresses are relative to. */
export interface Home {
  readonly place: Place;
  readonly project: string;
}

/** Templates that were read before: rows of a matrix share most of theirs. */
const parsed = new Map<string, readonly Part[]>();
const PARSED = 2000;

/** A field's value once the contexts that it waits for are in `scope`. @throws EvalFault, PythonError, Waiting */
export function settle(value: Known, scope: Scope, home: Home): Value {
  if (isKnown(value)) return value;
  const result = evaluateTemplate(partsOf(value.$expr), scope);
  if (value.as === undefined) return result;
  const converted = convert(value.as, result);
  const isImage = value.as === 'imageRef' && typeof converted === 'string' && converted.startsWith('image:');
  if (value.as !== 'uri' && !isImage) return converted;
  const uri = platformUri(str(converted), home.place, home.project, { short: true });
  return isImage ? uri.text : uri;
}

function partsOf(text: string): readonly Part[] {
  const known = parsed.get(text);
  if (known !== undefined) return known;
  if (parsed.size >= PARSED) parsed.clear();
  const parts = parseTemplate(text);
  parsed.set(text, parts);
  return parts;
}
