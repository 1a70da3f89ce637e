import { access } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { DelosError } from '@delos/core';
import type { CommandContext } from '../../context.ts';
import { passThrough } from '../../process.ts';

const NAMES = ['api', 'bundle', 'flow', 'flow-engine', 'job-latency', 'packing', 'scheduler', 'storage', 'up'];

/** Starts bench/src/NAME.ts as a program of its own: measurements are no part of the command. */
export async function run(
  context: CommandContext,
  name: string,
  options: { readonly samples?: number; readonly plot?: string },
): Promise<void> {
  const script = join(context.root, 'bench/src', `${name}.ts`);
  if (
    !NAMES.includes(name) ||
    (await access(script).then(
      () => false,
      () => true,
    ))
  ) {
    throw new DelosError('ERR_NOT_FOUND', `there is no benchmark ${JSON.stringify(name)}`, {
      hint: `there are: ${NAMES.join(', ')}`,
    });
  }
  const args = [
    '--disable-warning=ExperimentalWarning',
    script,
    ...(context.json ? ['--json'] : []),
    ...(options.samples === undefined ? [] : ['--samples', String(options.samples)]),
    ...(options.plot === undefined ? [] : ['--plot', resolve(options.plot)]),
  ];
  process.exitCode = await passThrough(process.execPath, args, { DELOS_INSTANCE: context.paths.instance });
}
