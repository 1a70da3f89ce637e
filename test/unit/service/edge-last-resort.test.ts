import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { MOST_ERRORS } from '../../../runtime/service/src/edge/last-resort.ts';

const MODULE = fileURLToPath(new URL('../../../runtime/service/src/edge/last-resort.ts', import.meta.url));

/** A process with the last resort, in which so many errors reach no handler. */
function processWith(errors: number): { readonly status: number | null; readonly lines: readonly string[] } {
  const program = `
    const { installLastResort } = await import(${JSON.stringify(MODULE)});
    const log = { fatal: (facts) => console.log(facts.decision, facts.origin, facts.error.message) };
    installLastResort(log, () => process.exit(1));
    for (let index = 0; index < ${errors}; index += 1) {
      if (index % 2 === 0) setImmediate(() => { throw new Error('thrown'); });
      else void Promise.reject(new Error('rejected'));
    }
    // Its own end, once there is nothing left to do.
    process.on('exit', (code) => { if (code === 0) console.log('lives on'); });`;
  const { status, stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
  return { status, lines: stdout.trim().split('\n') };
}

test('a process goes on after errors that no handler caught, and each is logged with its origin', () => {
  const { status, lines } = processWith(4);
  expect(status).toBe(0);
  expect(lines.at(-1)).toBe('lives on');
  expect(lines.slice(0, -1).toSorted()).toEqual([
    'go on uncaughtException thrown',
    'go on uncaughtException thrown',
    'go on unhandledRejection rejected',
    'go on unhandledRejection rejected',
  ]);
});

test('a process ends on purpose when such errors come one upon another', () => {
  const { status, lines } = processWith(MOST_ERRORS + 1);
  expect(status).toBe(1);
  expect(lines.length).toBe(MOST_ERRORS + 1);
  expect(lines.at(-1)).toMatch(/^end /);
});
