import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { DelosError } from '@delos/core';
import { run as execute } from '@delos/host';
import type { CommandContext } from '../../context.ts';
import { copyPrograms, providePrograms } from './provide-programs.ts';

/** Writes the programs of an auxiliary machine into a folder, or into an archive for cloud-init. */
export async function run(context: CommandContext, options: { readonly out: string }): Promise<void> {
  const from = await providePrograms(context);
  const out = resolve(options.out);
  if (!out.endsWith('.tar')) {
    await copyPrograms(from, out);
    context.result({ folder: out }, `The programs are in ${out}.`);
    return;
  }
  const args = ['--dereference', '--sort=name', '--owner=0', '--group=0', '--mtime=@0', '-C', from, '-cf', out, '.'];
  const { code, stderr } = await execute('tar', args, { signal: context.signal });
  if (code !== 0) throw new DelosError('ERR_INTERNAL', `tar could not write ${out}: ${stderr.trim()}`);
  const hash = createHash('sha256');
  await pipeline(createReadStream(out), hash);
  const sha256 = hash.digest('hex');
  context.result({ archive: out, sha256 }, `The programs are in ${out}\nsha256 ${sha256}`);
}
