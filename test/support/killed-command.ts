import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { instancePaths } from '@delos/core';
import { type CommandResult, type RunningCommand, start } from '../../peers/src/command.ts';
import { TEST_INSTANCE } from './instance.ts';

export interface Stopping {
  readonly args: readonly string[];
  /** What it has said on stderr when the time begins to run. */
  readonly said: RegExp;
  readonly milliseconds: number;
  /** `kill`: all of its processes end at once. `interrupt`: what Ctrl-C on a terminal sends to it. */
  readonly by: 'kill' | 'interrupt';
  /** Variables of it; those of the tests where left out. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly pulumiHome: string;
}

/** A command of the present code, which is stopped some time after it has said something. How it ended, and whether it had before. */
export async function stopped(how: Stopping): Promise<CommandResult & { readonly before: boolean }> {
  const root = join(import.meta.dirname, '../..');
  // A process group of its own, so that what it has started ends with it.
  const command = ['setsid', '--wait', 'sh', '-c', 'echo $$; exec "$0" "$@"', join(root, 'delos'), ...how.args];
  const run = start(command, { timeout: 1700, input: '', cwd: root, env: how.env });
  const ended = run.end.then((result) => ({ ...result, before: true }));
  const reached = saying(run, how.said).then(() => sleepFor(how.milliseconds));
  const first = await Promise.race([ended, reached]);
  if (first !== undefined) return first;
  const group = -Number(run.stdout().split('\n')[0]);
  if (how.by === 'interrupt') process.kill(group, 'SIGINT');
  else {
    process.kill(group, 'SIGKILL');
    for (const pid of await pulumiProcesses(how.pulumiHome)) process.kill(pid, 'SIGKILL');
  }
  return { ...(await run.end), before: false };
}

/** A command of the present code, all of whose processes end by SIGKILL some time after it has said something that matches. */
export async function killedAfter(
  args: readonly string[],
  said: RegExp,
  milliseconds: number,
  instance: string = TEST_INSTANCE,
  pulumiHome: string = join(instancePaths(instance, process.env).state, 'pulumi/home'),
): Promise<void> {
  const { KUBECONFIG: _, ...env } = process.env;
  const how = { args, said, milliseconds, by: 'kill', env: { ...env, DELOS_INSTANCE: instance }, pulumiHome } as const;
  const { before, stderr } = await stopped(how);
  if (before) throw new Error(`it ended before it was to be killed, after ${said}:\n${stderr}`);
}

const sleepFor = (milliseconds: number): Promise<undefined> =>
  new Promise((resolve) => setTimeout(() => resolve(undefined), milliseconds));

function saying(run: RunningCommand, said: RegExp): Promise<void> {
  return new Promise((resolve) => {
    run.child.stderr?.on('data', () => {
      if (said.test(run.stderr())) resolve();
    });
  });
}

/** The engine and its plugins, which have a session of their own, are told by their variables. */
async function pulumiProcesses(home: string): Promise<readonly number[]> {
  const all = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(
    all.map(async (pid) => {
      const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
      return environment.includes(`PULUMI_HOME=${home}\0`) && pid !== process.pid ? [pid] : [];
    }),
  );
  return found.flat();
}
