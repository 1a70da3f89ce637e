import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { resolveTool } from '@delos/cluster';
import { silent } from '@delos/core';
import { freePort } from '@delos/host';
import { execute, expectOk } from '../../../peers/src/command.ts';
import { until } from '../until.ts';

/** What a node has for jobs' containers: a containerd of its own, and beside it the part that saves them, with its rights alone. */
export interface NodeContainers {
  /** Where that part answers. */
  readonly port: number;
  readonly token: string;
  /** An id for a container that no other has. */
  readonly containerId: () => string;
  /** `ctr`, in the namespace of Kubernetes. @throws Error when the exit code is not 0 */
  readonly ctr: (...args: readonly string[]) => Promise<string>;
  /** Ends containerd, all containers and that part. */
  readonly stop: () => Promise<void>;
}

/** Processes and mounts of its own: all ends with the shell. A program that becomes another user would outlive whoever started it. */
const SCRIPT = `cd "$1"
containerd --config /dev/null --root "$1/root" --state "$1/state" --address "$1/containerd.sock" >"$1/log" 2>&1 &
setpriv --bounding-set=-all,+dac_read_search,+setuid --inh-caps=-all --no-new-privs "$2" &
wait`;

export async function nodeContainers(): Promise<NodeContainers> {
  const { path } = await resolveTool('image-saver', silent);
  const folder = await mkdtemp(join(tmpdir(), 'delos-node-'));
  const token = 'a-token-of-the-test';
  await mkdir(join(folder, 'scratch'));
  // As of a volume of a Pod.
  await chmod(join(folder, 'scratch'), 0o777);
  await chmod(folder, 0o755);
  await writeFile(join(folder, 'token'), token);
  const port = await freePort();
  const child: ChildProcess = spawn(
    'unshare',
    [
      ...['--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '--propagation', 'private'],
      ...['sh', '-c', SCRIPT, 'node', folder, path],
    ],
    {
      stdio: 'ignore',
      env: {
        PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        DELOS_SAVER_TASKS: join(folder, 'state/io.containerd.runtime.v2.task/k8s.io'),
        DELOS_SAVER_CONTENT: join(folder, 'root/io.containerd.content.v1.content'),
        DELOS_SAVER_SCRATCH: join(folder, 'scratch'),
        DELOS_SAVER_TOKEN_FILE: join(folder, 'token'),
        DELOS_SAVER_USER: '60646',
        DELOS_SAVER_ADDRESS: `127.0.0.1:${port}`,
      },
    },
  );
  const ids: string[] = [];
  const ctr = (...args: readonly string[]): Promise<string> =>
    expectOk(
      execute(['ctr', '--address', join(folder, 'containerd.sock'), '--namespace', 'k8s.io', ...args], {
        env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
        timeout: 120,
      }),
    );
  await until('containerd and the saver answer', 60, async () => {
    await ctr('version');
    return (await fetch(`http://127.0.0.1:${port}/healthz`)).ok ? true : undefined;
  });
  return {
    port,
    token,
    containerId: () => {
      const id = randomBytes(32).toString('hex');
      ids.push(id);
      return id;
    },
    ctr,
    stop: async () => {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await gone;
      // What runc keeps of those that were killed, wherever containerd has its own state.
      for (const id of ids) await rm(join('/run/containerd/runc/k8s.io', id), { recursive: true, force: true });
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
