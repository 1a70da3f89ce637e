import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('cleaner-main.ts', import.meta.url));

/** Somebody who takes away what a run has made, also where this process is killed. */
export interface Cleaner {
  /** Has it do so now. @returns names of what is left, or why that is not known */
  clean(): Promise<readonly string[]>;
}

/** Starts it, before anything is made. */
export function startCleaner(cluster: { readonly kubeconfig: string; readonly context: string }, run: string): Cleaner {
  const child = spawn(process.execPath, [MAIN, cluster.kubeconfig, cluster.context, run], {
    stdio: ['pipe', 'pipe', 'pipe'],
    // A session of its own: what ends this process's group does not end it.
    detached: true,
  });
  const ended = once(child, 'close');
  ended.catch(() => undefined);
  const said = { out: '', error: '' };
  child.stdin.on('error', () => undefined);
  child.stdout.on('data', (chunk: Buffer) => {
    said.out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    said.error += chunk.toString();
  });
  return {
    async clean() {
      child.stdin.end();
      const [code] = await ended;
      const lines = said.out.split('\n').filter((line) => line !== '');
      return code === 0
        ? lines
        : [...lines, `what cleans up has failed: ${said.error.trim().split('\n').at(-1) ?? ''}`];
    },
  };
}
