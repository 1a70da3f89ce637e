import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DelosError, isDelosError } from '@delos/core';
import { CommanderError } from 'commander';
import { z } from 'zod';
import { stopping } from './context.ts';
import { interrupted, isOfStop } from './interrupt.ts';
import { program } from './program.ts';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

/** As a program ends that SIGPIPE has ended: 128 and its number. */
const READER_GONE = 141;

/** `delos … | head`: who read the answer wants no more of it. Who reads the progress may go without a loss: the work goes on. */
for (const [stream, gone] of [
  [process.stdout, () => process.exit(READER_GONE)],
  [process.stderr, () => undefined],
] as const) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    gone();
  });
}

/** stdout holds exactly one JSON document with --json, errors included. */
function report(error: unknown): number {
  const known =
    stopping() && isOfStop(error)
      ? interrupted()
      : isDelosError(error)
        ? error
        : new DelosError('ERR_INTERNAL', wordsOf(error), {
            hint: 'this is a defect: please report it with the output of the same command under DELOS_DEBUG=1',
            cause: error,
          });
  if (process.argv.includes('--json')) process.stdout.write(`${JSON.stringify({ error: known })}\n`);
  process.stderr.write(`${known.render()}\n`);
  if (process.env.DELOS_DEBUG !== undefined) console.error(error);
  return known.exitCode;
}

/** One line. Of the faults that a schema finds, only the first is told. */
function wordsOf(error: unknown): string {
  if (!(error instanceof z.ZodError)) return error instanceof Error ? error.message : String(error);
  const [issue] = error.issues;
  const place = issue?.path.join('.') ?? '';
  return `an answer is not as expected${place === '' ? '' : `, at ${place}`}: ${issue?.message ?? 'not accepted'}`;
}

/** Commander has printed its own usage errors on stderr, and help and version on stdout. */
function usage(error: CommanderError): number {
  if (error.exitCode === 0) return 0;
  if (process.argv.includes('--json')) {
    const known = new DelosError('ERR_USAGE', error.message.replace(/^error: /, '').replaceAll('\n', ' '));
    process.stdout.write(`${JSON.stringify({ error: known })}\n`);
  }
  return 2;
}

try {
  await program(root).parseAsync(process.argv);
} catch (error) {
  process.exitCode = error instanceof CommanderError ? usage(error) : report(error);
}
