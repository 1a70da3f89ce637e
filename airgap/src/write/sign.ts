import type { KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { writeAtomic } from '@delos/host';
import { digestOf, hexOf } from '../format/digest.ts';
import { DO_NOT_USE, FaultFound } from '../format/fault.ts';
import { INDEX_FILE, MOST_INDEX_BYTES, MOST_SIGNATURE_BYTES, SIGNATURE_FILE } from '../format/index-schema.ts';
import { readFile } from '../read/folder.ts';
import { parseIndex } from '../read/open.ts';
import { parseEnvelope, signedToo } from '../trust/dsse.ts';
import { subjectOf } from '../trust/statement.ts';

/** Adds the signature of one key more to a bundle, where several must sign. @throws FaultFound for one that is none */
export async function signBundle(folder: string, key: KeyObject): Promise<{ readonly signatures: number }> {
  const content = await readFile(folder, INDEX_FILE, MOST_INDEX_BYTES);
  parseIndex(content);
  const given = parseEnvelope(await readFile(folder, SIGNATURE_FILE, MOST_SIGNATURE_BYTES));
  const subject =
    given === undefined ? undefined : subjectOf('index', INDEX_FILE, Buffer.from(given.payload, 'base64'));
  if (given === undefined || subject !== hexOf(digestOf(content))) {
    throw new FaultFound({
      kind: 'signature-other',
      message: `${SIGNATURE_FILE} does not sign this ${INDEX_FILE}`,
      todo: DO_NOT_USE,
      file: SIGNATURE_FILE,
    });
  }
  const signed = signedToo(given, key);
  writeAtomic(join(folder, SIGNATURE_FILE), signed.toString('utf8'), 0o644);
  return { signatures: parseEnvelope(signed)?.signatures.length ?? 0 };
}
