import { recordLines } from '@delos/core';
import type { CommandContext } from '../../context.ts';
import { engineOf } from '../../instance/engine.ts';
import { kubeOf } from '../../instance/kube.ts';
import { readSettings } from '../../instance/settings.ts';
import { writeRecords } from './write.ts';

/** Writes the platform's records to the server that delos.yaml names. */
export async function run(context: CommandContext, options: { readonly config?: string }): Promise<void> {
  const { config } = await readSettings(context, options.config);
  context.progress.step(`writing records to ${config.dns.update?.server ?? 'the server'}`);
  const records = await writeRecords(config, async () => kubeOf(context, await (await engineOf(context)).handle()));
  context.result({ records }, `written:\n${recordLines(records)}`);
}
