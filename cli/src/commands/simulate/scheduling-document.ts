import { readFile } from 'node:fs/promises';
import { DelosError, faultsOf, fieldOf, parseYaml, readYaml, type Where } from '@delos/core';
import type { SnapshotFault } from '@delos/scheduling';
import type { z } from 'zod';

/** @throws DelosError ERR_CONFIG_NOT_FOUND */
export async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw unreadable(file, cause);
  }
}

export function unreadable(file: string, cause: unknown): DelosError {
  const hint = 'check its name and that you may read it';
  return new DelosError('ERR_CONFIG_NOT_FOUND', 'the file cannot be read', { where: { file }, hint, cause });
}

/** Where a value of a document stands. */
export type Places = (path: readonly PropertyKey[]) => Where;

/** A document of the scheduler's, YAML or JSON, with every fault told by file, line, column and field. */
export function readDocument<T extends z.ZodType>(
  schema: T,
  source: { readonly file: string; readonly text: string },
  faults: (data: z.output<T>) => readonly SnapshotFault[],
): z.output<T> {
  if (source.file.endsWith('.json')) return checked(schema, parseJson(source), jsonPlaces(source), faults);
  const data = readYaml(schema, source);
  refuse((path) => parseYaml(source).valueAt(path), faults(data));
  return data;
}

/** The same for data that is parsed already. */
export function checked<T extends z.ZodType>(
  schema: T,
  data: unknown,
  placeOf: Places,
  faults: (data: z.output<T>) => readonly SnapshotFault[],
): z.output<T> {
  const parsed = schema.safeParse(data, { reportInput: true });
  if (!parsed.success) {
    const [first] = faultsOf(schema, parsed.error.issues, data);
    const path = first?.path ?? [];
    throw new DelosError('ERR_CONFIG_VALUE', first?.message ?? 'it is not as expected', {
      where: { ...placeOf(path), field: fieldOf(path) },
      hint: first?.hint ?? 'docs/guides/scheduling.md describes the document',
    });
  }
  refuse(placeOf, faults(parsed.data));
  return parsed.data;
}

function parseJson({ file, text }: { readonly file: string; readonly text: string }): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new DelosError('ERR_CONFIG_SYNTAX', `it is not valid JSON: ${(cause as Error).message}`, {
      where: { file },
      hint: 'correct it there, or write it anew',
      cause,
    });
  }
}

/**
 * JSON is YAML, except for tabs that indent. Where something in it is wrong it is read again as YAML, which knows
 * lines. If that fails too, only the file is named: a program wrote it, and its lines help nobody.
 */
function jsonPlaces(source: { readonly file: string; readonly text: string }): Places {
  return (path) => {
    try {
      return parseYaml(source).valueAt(path);
    } catch {
      return { file: source.file };
    }
  };
}

function refuse(placeOf: Places, faults: readonly SnapshotFault[]): void {
  const [first, ...more] = faults;
  if (first === undefined) return;
  const follow = more.length === 1 ? '1 more fault follows' : `${more.length} more faults follow`;
  throw new DelosError('ERR_CONFIG_VALUE', first.message, {
    where: { ...placeOf(first.path), field: fieldOf(first.path) },
    hint: more.length === 0 ? first.hint : `${first.hint}\n  ${follow}`,
  });
}
