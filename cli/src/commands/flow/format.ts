import { writeFileSync } from 'node:fs';
import { DelosError } from '@delos/core';
import { formatFlow } from '@delos/flow';
import type { CommandContext } from '../../context.ts';
import { utf8Text } from './files.ts';
import { readFlow, renderAll } from './world.ts';

/** Writes a file in the one layout. With `--check`, exit code 1 where it is not. */
export async function run(context: CommandContext, file: string, options: { readonly check: boolean }): Promise<void> {
  const parsed = readFlow(file);
  const text = parsed.report.text;
  const formatted = formatFlow(text, parsed.kind);
  if (formatted === undefined) {
    throw new DelosError('ERR_CONFIG_SYNTAX', `${file} is not valid YAML`, {
      hint: renderAll(parsed.report.diagnostics().slice(0, 1)),
    });
  }
  const changed = formatted !== utf8Text(file);
  if (changed && !options.check) writeFileSync(file, formatted);
  context.result(
    { file, changed },
    changed ? (options.check ? `${file} is not in the layout` : `wrote ${file}`) : `${file} is in the layout`,
  );
  process.exitCode = changed && options.check ? 1 : 0;
}
