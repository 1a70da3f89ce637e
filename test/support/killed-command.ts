import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { instancePaths } from '@delos/core';
import { start } from '../../peers/src/command.ts';
import { TEST_INSTANCE } from './instance.ts';

/** A command of the present code, all of whose processes end by SIGKILL some time after it has said something that matches. */
export async function killedAfter(
  args: readonly string[],
  said: RegExp,
  milliseconds: number,
  instance: string = TEST_INSTANCE,
): Promise<void> {
  const root = join(import.meta.dirname, '../..');
  const { KUBECONFIG: _, ...env } = process.env;
  // A process group of its own, so that what it has started ends with it.
  const command = ['setsid', '--wait', 'sh', '-c', 'echo $$; exec "$0" "$@"', join(root, 'delos'), ...args];
  const run = start(command, { timeout: 1700, input: '', cwd: root, env: { ...env, DELOS_INSTANCE: instance } });
  await new Promise<void>((resolve, reject) => {
    run.child.stderr?.on('data', () => {
      if (said.test(run.stderr())) resolve();
    });
    void run.end.then(({ stderr }) => reject(new Error(`it ended before it said ${said}:\n${stderr}`)), reject);
  });
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  process.kill(-Number(run.stdout().split('\n')[0]), 'SIGKILL');
  for (const pid of await pulumiProcesses(instance)) process.kill(pid, 'SIGKILL');
  await run.end;
}

/** The engine and its plugins, which have a session of their own, are told by their variables. */
async function pulumiProcesses(instance: string): Promise<readonly number[]> {
  const home = join(instancePaths(instance, process.env).state, 'pulumi/home');
  const all = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(
    all.map(async (pid) => {
      const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
      return environment.includes(`PULUMI_HOME=${home}\0`) && pid !== process.pid ? [pid] : [];
    }),
  );
  return found.flat();
}
