import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';

/*
 * Another user of the machine, who looks for secrets: through /proc at processes, and in folders.
 */

/** What such a user could read. */
export interface Loot {
  /** What opened that should be closed, e.g. `/proc/7/environ`. */
  readonly opened: readonly string[];
  /** All bytes of it, and of what is everyone's to read, as Latin-1. */
  readonly content: string;
}

/**
 * Looks at each process and each folder. What of a process is for its own user alone is told on stderr where it opens;
 * its arguments are anybody's, so they are only read. Of each folder a megabyte is read at most.
 */
const LOOK = `
for pid in $PIDS; do
  for file in environ auxv maps; do
    if cat "/proc/$pid/$file" 2>/dev/null; then echo "/proc/$pid/$file" >&2; fi
  done
  for folder in root cwd fd; do
    if ls "/proc/$pid/$folder/" >/dev/null 2>&1; then
      echo "/proc/$pid/$folder" >&2
      timeout 5 find "/proc/$pid/$folder/" -xdev -type f -readable -size -64k -exec cat {} + 2>/dev/null | head -c 1000000
    fi
  done
  cat "/proc/$pid/cmdline" 2>/dev/null
done
for folder in $FOLDERS; do
  if [ -n "$(timeout 60 find "$folder" -type f -readable -print -quit 2>/dev/null)" ]; then
    echo "$folder" >&2
    timeout 60 find "$folder" -type f -readable -exec cat {} + 2>/dev/null | head -c 1000000
  fi
done
exit 0
`;

/** Runs a command as a user who has no other group than the one of the same number. */
export function asUser(uid: number, command: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const identity = ['--reuid', String(uid), '--regid', String(uid), '--clear-groups'];
  return spawn('setpriv', [...identity, ...command], {
    cwd: '/',
    env: { PATH: '/usr/bin:/bin', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

export async function lookAs(uid: number, pids: readonly number[], folders: readonly string[]): Promise<Loot> {
  const child = asUser(uid, ['sh', '-c', LOOK], { PIDS: pids.join(' '), FOLDERS: folders.join(' ') });
  child.stdout.setEncoding('latin1');
  let content = '';
  child.stdout.on('data', (chunk: string) => {
    content += chunk;
  });
  const [opened] = await Promise.all([text(child.stderr), new Promise((resolve) => child.once('close', resolve))]);
  return { opened: opened.split('\n').filter((line) => line !== ''), content };
}
