import { resolve } from 'node:path';
import { readPrivateKey, signBundle } from '@delos/airgap';
import type { CommandContext } from '../../context.ts';
import { faultTold } from './fault-told.ts';

/** Adds one more signature to a bundle, where several keys must sign. */
export async function run(context: CommandContext, given: string, options: { readonly key: string }): Promise<void> {
  const folder = resolve(given);
  const key = readPrivateKey(options.key);
  const { signatures } = await faultTold(folder, () => signBundle(folder, key));
  context.result({ folder, signatures }, `${folder} has ${signatures} signatures`);
}
