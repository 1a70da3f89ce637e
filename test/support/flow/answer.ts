import {
  contextsOf,
  Dict,
  EvalFault,
  evaluateTemplate,
  fromJson,
  PythonError,
  parseTemplate,
  repr,
  type Scope,
  SyntaxFault,
  scopeOf,
  volumeOfReference,
} from '@delos/flow';

/** The answer for a template, of the authority or of Delos, in the same words. */
export interface Answer {
  readonly load?: string;
  readonly eval?: string;
  readonly value?: string;
  readonly unwritable?: string;
  /** The authority was stopped after a second. */
  readonly slow?: boolean;
}

export const PLACE = { cluster: 'main', org: 'acme', project: 'demo', user: 'ada' };

/** A scope of plain data, as `delos flow eval --context` makes it. */
export function scopeOfData(data: object): Scope {
  const dict = fromJson(JSON.stringify(data));
  if (!(dict instanceof Dict)) throw new Error('contexts are a mapping');
  return scopeOf(contextsOf(dict), { outside: { parseVolume: (text) => volumeOfReference(text, PLACE) } });
}

export function answer(template: string, scope: Scope): Answer {
  try {
    const value = evaluateTemplate(parseTemplate(template), scope);
    try {
      return { value: repr(value) };
    } catch (error) {
      if (error instanceof PythonError) return { unwritable: error.message };
      throw error;
    }
  } catch (error) {
    if (error instanceof SyntaxFault) return { load: error.message };
    if (error instanceof EvalFault) return { eval: error.message };
    throw error;
  }
}

/** The verdict, and the value where there is one. */
export const gist = ({ load, eval: failed, value }: Answer): string =>
  load !== undefined
    ? 'refused when read'
    : failed !== undefined
      ? 'refused when evaluated'
      : (value ?? 'a value that cannot be written');
