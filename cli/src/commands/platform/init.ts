import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { delosConfig, PROFILE_KEYS } from '@delos/constructs';
import { configTemplate, DelosError } from '@delos/core';
import type { CommandContext } from '../../context.ts';

/** Writes a commented delos.yaml; never over a file that is there, unless told. */
export async function run(context: CommandContext, file: string, options: { readonly force: boolean }): Promise<void> {
  const path = resolve(file);
  try {
    await writeFile(
      path,
      configTemplate(delosConfig, (path) => PROFILE_KEYS.has(path)),
      { flag: options.force ? 'w' : 'wx' },
    );
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    throw code === 'EEXIST'
      ? new DelosError('ERR_CONFLICT', `${file} is there already`, {
          hint: 'name another file, or overwrite it with --force',
          cause,
        })
      : new DelosError('ERR_USAGE', `${file} cannot be written (${String(code ?? cause)})`, {
          hint: 'name a file in a folder that exists and that you may write to',
          cause,
        });
  }
  context.result({ file: path }, `wrote ${file}: set \`domain\`, then \`delos up --config ${file}\``);
}
