import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { keyIdOf, newKeyPair, readPublicKey } from '@delos/airgap';
import { DelosError } from '@delos/core';
import type { CommandContext } from '../../context.ts';

/** Makes a key that signs bundles: FILE for whoever signs, FILE.pub for whoever believes. */
export async function run(context: CommandContext, given: string): Promise<void> {
  const file = resolve(given);
  const { privateKey, publicKey } = newKeyPair();
  write(file, privateKey, 0o600);
  write(`${file}.pub`, publicKey, 0o644);
  const id = keyIdOf(readPublicKey(`${file}.pub`));
  context.result(
    { file, publicKey: `${file}.pub`, id },
    `${file}: keep it where no site is. Its public half is ${file}.pub, key ${id.slice(0, 12)}.\n\n  delos bundle keys --add ${given}.pub --until DATE --out keys.json`,
  );
}

function write(file: string, text: string, mode: number): void {
  try {
    writeFileSync(file, text, { mode, flag: 'wx' });
  } catch (cause) {
    const taken = cause instanceof Error && 'code' in cause && cause.code === 'EEXIST';
    throw new DelosError(taken ? 'ERR_CONFLICT' : 'ERR_USAGE', `${file} ${taken ? 'is there' : 'cannot be written'}`, {
      hint: taken ? 'a key is never overwritten: name another file' : 'name a file in a folder that you can write to',
      where: { file },
      cause,
    });
  }
}
