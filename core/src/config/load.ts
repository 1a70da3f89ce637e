import { readFile } from 'node:fs/promises';
import type { z } from 'zod';
import { DelosError } from '../errors/errors.ts';
import { readYaml } from '../yaml/read.ts';

/**
 * Reads a delos.yaml, or another file of a person's, by its schema. An empty file is all defaults.
 * @param from how such a file comes to be, for whom it is not there
 * @throws DelosError ERR_CONFIG_NOT_FOUND; ERR_CONFIG_SYNTAX, ERR_CONFIG_KEY, ERR_CONFIG_VALUE with file, line, column and field
 */
export async function loadConfigBy<Schema extends z.ZodType>(
  schema: Schema,
  file: string,
  from = '`delos init` writes one; --config FILE names another',
): Promise<z.output<Schema>> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    throw new DelosError('ERR_CONFIG_NOT_FOUND', `the configuration file cannot be read (${reason})`, {
      where: { file },
      hint: from,
      cause,
    });
  }
  return readYaml(schema, { file, text });
}
