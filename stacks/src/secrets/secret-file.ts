import { readFileSync } from 'node:fs';
import { DelosError } from '@delos/core';

/** What a Secret can hold together. */
const MOST_BYTES = 2 ** 20;

/**
 * The secret that a file of this machine holds. A line break at its end is not part of it.
 * @throws DelosError ERR_DEPLOY for a file that cannot be read, that holds nothing, or more than a Secret can
 */
export function readSecretFile(path: string): string {
  const refuse = (what: string, cause?: unknown): never => {
    throw new DelosError('ERR_DEPLOY', `the secret file ${path} ${what}`, {
      where: { file: path },
      hint: 'delos.yaml names it under `file:`; write the secret to it, readable for whoever deploys',
      ...(cause === undefined ? {} : { cause }),
    });
  };
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    return refuse(`cannot be read (${reason})`, cause);
  }
  if (bytes.length > MOST_BYTES) return refuse(`has ${bytes.length} bytes, and a Secret holds ${MOST_BYTES}`);
  const text = bytes.toString('utf8').replace(/\r?\n$/, '');
  if (text === '') return refuse('holds nothing');
  if (text.includes('\uFFFD')) return refuse('is no text in UTF-8');
  return text;
}
