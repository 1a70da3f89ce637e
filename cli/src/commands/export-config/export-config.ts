import { readFile } from 'node:fs/promises';
import { madeThings, yamlText } from '@delos/core';
import { parse } from 'yaml';
import type { CommandContext } from '../../context.ts';
import { askRuntime } from '../../instance/runtime-command.ts';
import { readSettings } from '../../instance/settings.ts';
import { withMade } from './merge.ts';

/** Prints delos.yaml with all that administrators made while the platform ran. Comments of the file are lost. */
export async function run(context: CommandContext, { config }: { readonly config?: string }): Promise<void> {
  const settings = await readSettings(context, config);
  const text: unknown = settings.file === undefined ? {} : parse(await readFile(settings.file, 'utf8'));
  const made = madeThings.parse(
    await askRuntime(context, {
      service: 'control-api',
      program: 'made',
      request: { action: 'list' },
      what: 'what administrators made',
    }),
  );
  const exported = withMade((text ?? {}) as Record<string, unknown>, settings.config, made);
  for (const each of exported.leftOut) context.progress.warn(`left out: ${each}`);
  context.result(exported, yamlText(exported.config));
}
