import { readFile } from 'node:fs/promises';
import { DelosError } from '@delos/core';
import { CsvError, parse } from 'csv-parse/sync';
import { z } from 'zod';

/** One record of a CSV file with a header line: its fields by column name, and the line where it begins (from 1). */
export interface CsvRecord {
  readonly line: number;
  readonly fields: Readonly<Record<string, string>>;
}

/** Columns of a table. */
export interface CsvColumns {
  readonly required: readonly string[];
  /** Columns that have a default: the table may lack them. */
  readonly optional: readonly string[];
}

/**
 * Reads a CSV file (RFC 4180) whose first line names its columns. Columns beyond those asked for are left alone.
 *
 * @throws ERR_NOT_FOUND where there is no such file; ERR_CSV where it is no CSV, lacks a required column or a field, or is empty.
 */
export async function readCsv(
  file: string,
  { required: columns, optional }: CsvColumns,
): Promise<readonly CsvRecord[]> {
  const [header, ...records] = parseCsv(file, await readText(file));
  if (header === undefined) {
    throw new DelosError('ERR_CSV', `the file is empty; expected the columns ${columns.join(', ')}`, {
      where: { file, line: 1 },
      hint: 'begin the file with a line of column names',
    });
  }
  const missing = columns.filter((column) => !header.record.includes(column));
  if (missing.length > 0) {
    throw new DelosError('ERR_CSV', `the column ${missing.join(', ')} is missing`, {
      where: { file, line: header.line },
      hint: `needed are ${columns.join(', ')}, in any order; ${optional.join(', ')} may be left out. Found: ${header.record.join(', ')}`,
    });
  }
  if (records.length === 0) {
    throw new DelosError('ERR_CSV', 'there is no row below the column names', {
      where: { file, line: header.line },
      hint: 'give at least one row',
    });
  }
  return records.map(({ record, line }) => {
    if (record.length !== header.record.length) {
      throw new DelosError('ERR_CSV', `expected ${header.record.length} fields, found ${record.length}`, {
        where: { file, line },
        hint: 'each row has as many fields as there are column names; a comma within a field needs quotes',
      });
    }
    return { line, fields: Object.fromEntries(header.record.map((column, at) => [column, record[at] ?? ''])) };
  });
}

/** What a record means by a schema. @throws ERR_CSV that names line, column and what was expected. */
export function csvRow<T>(file: string, { line, fields }: CsvRecord, schema: z.ZodType<T>): T {
  const result = schema.safeParse(fields);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const field = String(issue?.path[0] ?? '');
  throw new DelosError('ERR_CSV', `${issue?.message ?? 'not accepted'}, found ${JSON.stringify(fields[field] ?? '')}`, {
    where: { file, line, ...(field === '' ? {} : { field }) },
    hint: 'correct the field and run the command again',
  });
}

/** A field that holds a whole number of `least`–`most`, written in digits. */
export function wholeField(least: number, most: number): z.ZodType<number> {
  const expected = `expected a whole number of ${least}–${most}`;
  return z
    .string()
    .regex(/^\d{1,10}$/, expected)
    .transform(Number)
    .refine((value) => value >= least && value <= most, expected);
}

/** The field of an optional column: it counts as `otherwise` where it is empty or the table lacks the column. */
export function fieldOr<T>(otherwise: string, schema: z.ZodType<T>): z.ZodType<T> {
  return z
    .string()
    .default('')
    .transform((text) => (text === '' ? otherwise : text))
    .pipe(schema as z.ZodType<T, string>);
}

/** Which columns a schema of rows needs, and which it has a default for. */
export function columnsOf(row: z.ZodObject): CsvColumns {
  const names = Object.keys(row.shape);
  const optional = names.filter((name) => row.shape[name]?.safeParse(undefined).success === true);
  return { required: names.filter((name) => !optional.includes(name)), optional };
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    throw new DelosError('ERR_NOT_FOUND', `cannot be read (${reason})`, {
      where: { file },
      hint: 'name a file that exists and that you may read',
      cause,
    });
  }
}

interface ParsedRecord {
  readonly record: readonly string[];
  readonly line: number;
}

function parseCsv(file: string, text: string): readonly ParsedRecord[] {
  const records: ParsedRecord[] = [];
  try {
    parse(text, {
      bom: true,
      relax_column_count: true,
      skip_empty_lines: true,
      trim: true,
      onRecord: (record: string[], { lines }) => {
        // `lines` counts up to the record's end; line breaks within quoted fields are taken off again.
        records.push({ record, line: lines - record.join('').split('\n').length + 1 });
      },
    });
  } catch (cause) {
    if (!(cause instanceof CsvError)) throw cause;
    const line: unknown = cause.lines;
    throw new DelosError('ERR_CSV', `not valid CSV: ${cause.message.replace(/ at line \d+.*$/, '')}`, {
      where: { file, ...(typeof line === 'number' ? { line } : {}) },
      hint: 'a field with a comma, a quote or a line break is quoted, and quotes within it are doubled (RFC 4180)',
      cause,
    });
  }
  return records;
}
