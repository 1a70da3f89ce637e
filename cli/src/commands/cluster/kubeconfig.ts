import { readFile } from 'node:fs/promises';
import type { CommandContext } from '../../context.ts';
import { engineOf } from '../../instance/engine.ts';

export async function run(context: CommandContext, options: { readonly raw: boolean }): Promise<void> {
  const { kubeconfig, context: name, server } = await (await engineOf(context)).handle();
  context.result({ kubeconfig, context: name, server }, options.raw ? await readFile(kubeconfig, 'utf8') : kubeconfig);
}
