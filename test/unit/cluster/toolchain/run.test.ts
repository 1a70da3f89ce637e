import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '@delos/host';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const RUN = join(import.meta.dirname, '../../../../host/src/run.ts');
let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'delos-run-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function alive(pid: number): boolean {
  try {
    // A zombie that nobody has waited for yet is dead as well.
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

describe('running a command', () => {
  test('gives both outputs and the exit code', async () => {
    await expect(run('sh', ['-c', 'echo out; echo err >&2; exit 3'])).resolves.toEqual({
      code: 3,
      stdout: 'out\n',
      stderr: 'err',
    });
  });

  test('passes arguments as they are, without a shell between', async () => {
    const args = ['a b', '$HOME', '"', "'", '*', '; exit 9'];
    const { stdout } = await run('printf', ['%s\n', ...args]);
    expect(stdout.trimEnd().split('\n')).toEqual(args);
  });

  test('says 127 for a command that is not there', async () => {
    expect((await run('delos-no-such-command', [])).code).toBe(127);
  });

  test('gives no input', async () => {
    expect(await run('cat', [])).toMatchObject({ code: 0, stdout: '' });
  });

  test('kills what the command started when the limit is reached', async () => {
    const file = join(folder, 'pid');
    const result = await run('sh', ['-c', `sleep 600 & echo $! > ${file}; wait`], { limitSeconds: 1 });
    expect(result.code).toBe(124);
    const pid = Number(await readFile(file, 'utf8'));
    await expect.poll(() => alive(pid), { timeout: 10_000 }).toBe(false);
  });

  test('nothing outlives the process that runs it, even when that is killed', async () => {
    const file = join(folder, 'pid');
    const script = `sleep 600 & echo $! > ${file}.new; mv ${file}.new ${file}; wait`;
    const code = `const { run } = await import(${JSON.stringify(RUN)}); await run('sh', ['-c', ${JSON.stringify(script)}]);`;
    const parent = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: 'inherit' });
    await expect.poll(() => existsSync(file), { timeout: 20_000 }).toBe(true);
    const pid = Number(await readFile(file, 'utf8'));
    expect(alive(pid)).toBe(true);
    parent.kill('SIGKILL');
    await expect.poll(() => alive(pid), { timeout: 10_000 }).toBe(false);
  });
});
