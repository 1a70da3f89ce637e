import type { z } from 'zod';
import type { ErrorCode } from '../errors/error-codes.ts';
import { DelosError, renderWhere, type Where } from '../errors/errors.ts';
import { parseYaml, type YamlDocument, type YamlSource } from './document.ts';
import { type Fault, faultsOf } from './faults.ts';

export interface YamlCodes {
  readonly syntax: ErrorCode;
  readonly key: ErrorCode;
  readonly value: ErrorCode;
}

const CONFIG_CODES: YamlCodes = { syntax: 'ERR_CONFIG_SYNTAX', key: 'ERR_CONFIG_KEY', value: 'ERR_CONFIG_VALUE' };

/** One thing that is wrong, with its place in the file; `data.problems` of the error holds all of them. */
export interface YamlProblem {
  readonly code: ErrorCode;
  readonly where: Where;
  readonly message: string;
  readonly hint?: string;
}

/**
 * Reads a YAML file by a schema. Everything that is wrong is found at once; the error shows the first by position in
 * full and where the others are.
 *
 * @throws DelosError `codes.syntax`, `codes.key` or `codes.value`, with file, line, column and field
 */
export function readYaml<T extends z.ZodType>(
  schema: T,
  source: YamlSource,
  codes: YamlCodes = CONFIG_CODES,
): z.output<T> {
  const document = parseYaml(source, codes.syntax);
  const data = document.data ?? {};
  if (typeof data !== 'object' || Array.isArray(data)) {
    throw new DelosError(
      codes.syntax,
      `expected keys and values (key: value), found ${Array.isArray(data) ? 'a list' : 'text'}`,
      {
        where: document.valueAt([]),
        hint: 'each line has a key, a colon and a value',
      },
    );
  }
  const parsed = schema.safeParse(data, { reportInput: true });
  if (parsed.success) return parsed.data;
  throw problemsError(
    faultsOf(schema, parsed.error.issues, data)
      .map((fault) => problemOf(document, fault, codes))
      .sort((a, b) => (a.where.line ?? 0) - (b.where.line ?? 0) || (a.where.column ?? 0) - (b.where.column ?? 0)),
  );
}

function problemOf(document: YamlDocument, fault: Fault, codes: YamlCodes): YamlProblem {
  const place = fault.at === 'key' ? document.keyAt(fault.path) : document.valueAt(fault.path);
  const field = fieldOf(fault.path);
  return {
    code: fault.kind === 'unknown-key' ? codes.key : codes.value,
    where: field === '' ? place : { ...place, field },
    message: fault.message,
    ...(fault.hint === undefined ? {} : { hint: fault.hint }),
  };
}

function problemsError(problems: readonly YamlProblem[]): DelosError {
  const [first, ...others] = problems;
  if (first === undefined) return new DelosError('ERR_INTERNAL', 'a schema refused a file and did not say why');
  const shown = others.slice(0, 3).map(({ where: { file: _, ...place } }) => renderWhere(place));
  const more =
    others.length === 0
      ? []
      : [`${others.length} more: ${shown.join(', ')}${others.length > shown.length ? ', …' : ''}`];
  const hint = [...(first.hint === undefined ? [] : [first.hint]), ...more].join('\n  ');
  return new DelosError(first.code, first.message, {
    where: first.where,
    ...(hint === '' ? {} : { hint }),
    data: { problems },
  });
}

/** `presets[0].cpu` */
export function fieldOf(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, step) => (typeof step === 'number' ? `${text}[${step}]` : `${text}${text === '' ? '' : '.'}${String(step)}`),
    '',
  );
}
