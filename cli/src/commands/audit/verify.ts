import { createPublicKey, type KeyObject } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { type Checkpoint, checkpoint, Verifier } from '@delos/audit';
import { DelosError } from '@delos/core';
import type { CommandContext } from '../../context.ts';

/** Checks an export, line by line. It asks nobody, and needs no platform. */
export async function run(
  context: CommandContext,
  file: string,
  options: { readonly key: string; readonly checkpoints?: string; readonly part: boolean },
): Promise<void> {
  const keys = publicKeysIn(await readFile(options.key, 'utf8'), options.key);
  const kept: Checkpoint[] = [];
  if (options.checkpoints !== undefined) {
    for await (const line of linesOf(options.checkpoints)) {
      if (line.startsWith('{"checkpoint"')) kept.push(checkpoint.parse(JSON.parse(line)));
    }
  }
  const verifier = new Verifier(keys, kept, options.part);
  for await (const line of linesOf(file)) verifier.line(line);
  const { faults, ...found } = verifier.end();
  const open =
    found.unanchored > 0
      ? [`no checkpoint follows the last ${found.unanchored} records: more may have been cut off`]
      : [];
  const all = [...faults, ...open];
  if (all.length > 0) {
    throw new DelosError('ERR_CONFLICT', `the export is not whole: ${all.join('; ')}`, {
      where: { file },
      hint: 'export again, and compare with an earlier export',
    });
  }
  const erased = found.erased === 0 ? '' : `; ${found.erased} texts were erased`;
  context.result(
    { ...found, faults },
    `${found.records} records and ${found.checkpoints} checkpoints: none was removed, changed, inserted or put elsewhere${erased}`,
  );
}

const linesOf = (file: string): AsyncIterable<string> =>
  createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY });

/** @throws DelosError ERR_USAGE */
export function publicKeysIn(text: string, file: string): readonly KeyObject[] {
  const blocks = text.match(/-----BEGIN PUBLIC KEY-----[^-]+-----END PUBLIC KEY-----/g) ?? [];
  try {
    if (blocks.length > 0) return blocks.map((block) => createPublicKey(block));
  } catch {
    // Said below.
  }
  throw new DelosError('ERR_USAGE', `--key: ${file} has no public key in PEM`, {
    hint: 'delos audit keys > audit-keys.pem, once, and kept elsewhere',
  });
}
