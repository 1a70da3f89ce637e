import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';

/*
 * Runs the command in a group of its own, beside a watcher that reads the pipe on stdin: when the process at its other
 * end dies, in whatever way, the pipe ends and the whole group is killed. Nothing that Delos starts outlives it.
 */
const SCRIPT = `exec 3<&0 </dev/null
{ read -r _ <&3; kill -s KILL -- -$$; } >/dev/null 2>&1 &
watcher=$!
"$@" 3<&- &
wait $!
status=$?
kill $watcher
exit $status`;

export interface Guarded {
  readonly child: ChildProcess;
  /** Kills the command and everything that it started. */
  kill(): void;
}

/** Starts a command that ends with this process, even when that is killed. Its stdin is empty. */
export function spawnGuarded(
  command: string,
  args: readonly string[],
  options: Pick<SpawnOptions, 'cwd' | 'env'> & { readonly stdout: 'pipe' | 'ignore' },
): Guarded {
  const child = spawn('/bin/sh', ['-c', SCRIPT, command, command, ...args], {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: options.env ?? process.env,
    stdio: ['pipe', options.stdout, 'pipe'],
    detached: true,
  });
  // The pipe breaks when the command ends first.
  child.stdin?.on('error', () => undefined);
  return {
    child,
    kill: () => {
      if (child.pid === undefined) return;
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        // The group is already gone.
      }
    },
  };
}
