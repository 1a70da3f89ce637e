import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { resolveTool } from '@delos/cluster';
import { type JobDesire, silent } from '@delos/core';
import { type CommandResult, execute } from '../../../peers/src/command.ts';
import { withSecretValues } from '../../../runtime/service/src/api/agents/secret-values.ts';
import { desiredJobs } from '../../../runtime/service/src/db/desired-jobs.ts';
import { applyEvent } from '../../../runtime/service/src/db/jobs-state.ts';
import { appendLine, criLine } from '../logs/logged-jobs.ts';
import { observation } from '../service/observer.ts';
import { until } from '../until.ts';
import type { BuildPlatform } from './build-platform.ts';

/*
 * Stands where scheduler and node are: takes a job that waits, and runs the image's own program in a root folder, mount, process and
 * IPC namespace of its own, with the capabilities that a container has, and with the mounts that its Pod would have.
 */

/** Of a container of containerd, as `capsh` has them. */
const CAPABILITIES = [
  ...['chown', 'dac_override', 'fowner', 'fsetid', 'kill', 'setgid', 'setuid', 'setpcap', 'net_bind_service'],
  ...['net_raw', 'sys_chroot', 'mknod', 'audit_write', 'setfcap'],
].map((name) => `+${name}`);

const SCRIPT = `set -e
root=$1; shift
mkdir -p "$root/proc" "$root/dev" "$root/etc"
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
touch "$root/etc/hosts"
mount --bind /etc/hosts "$root/etc/hosts"
while [ "$1" != -- ]; do
  if [ -d "$2" ]; then mkdir -p "$root$3"; else mkdir -p "$(dirname "$root$3")"; touch "$root$3"; fi
  mount --bind -o "$1" "$2" "$root$3"
  shift 3
done
shift
exec setpriv --bounding-set="$CAPABILITIES" --inh-caps=-all --no-new-privs chroot "$root" /kaniko/executor "$@"`;

/** Runs a program of the job's as its container would. */
export async function runBuild(platform: BuildPlatform, desire: JobDesire): Promise<CommandResult> {
  const { path } = await resolveTool('image-builder', silent);
  const folder = await mkdtemp(join(tmpdir(), 'delos-build-'));
  try {
    const root = join(folder, 'root');
    await mkdir(join(root, 'kaniko'), { recursive: true });
    await copyFile(path, join(root, 'kaniko/executor'));
    const { pod, secretValues = [] } = desire.spec;
    const mounts = (pod.files ?? []).flatMap(({ org, project, source, path: to, readOnly }) => [
      readOnly ? 'ro' : 'rw',
      join(platform.files.data, org, project, source),
      to,
    ]);
    for (const [index, secret] of (pod.secrets ?? []).entries()) {
      const held = secretValues[index];
      if (held === undefined || 'problem' in held) throw new Error(held?.problem ?? 'no value');
      const file = join(folder, `secret-${index}`);
      await writeFile(file, Buffer.from(held.value, 'base64'));
      mounts.push(...secret.files.flatMap((to) => ['ro', file, to]));
    }
    const argv = ['unshare', '--mount', '--pid', '--ipc', '--fork', '--propagation', 'private', 'sh', '-c', SCRIPT];
    return await execute([...argv, 'container', root, ...mounts, '--', ...(pod.command ?? [])], {
      timeout: 240,
      env: { ...pod.env, PATH: '/usr/sbin:/usr/bin:/sbin:/bin', CAPABILITIES: ['-all', ...CAPABILITIES].join(',') },
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The job of this kind that waits, once there is one. @returns what its agent would be told */
export async function waitingJob(platform: BuildPlatform): Promise<JobDesire> {
  const { database, api } = platform;
  const { id } = await until('a job that waits', 60, () =>
    database.db.selectFrom('jobs').select('id').where('phase', '=', 'queued').executeTakeFirst(),
  );
  const event = { type: 'admit', pool: 'default', node: 'node-1', description: '' } as const;
  await database.tx((tx) => applyEvent(tx, id, event));
  for await (const [kept] of desiredJobs.find(database.db, 'default', [id])) {
    if (kept === undefined) continue;
    const told = await withSecretValues(api.deps, 'default', kept);
    if (told.kind === 'job') return told;
  }
  throw new Error('nothing is desired of it');
}

/** Runs the next job that waits to its end, and tells of it as agent and collector do. */
export async function carryOutNext(platform: BuildPlatform): Promise<{ desire: JobDesire; result: CommandResult }> {
  const { database, api } = platform;
  const desire = await waitingJob(platform);
  const { id } = desire;
  const seen = (facts: Parameters<typeof observation>[1]) =>
    database.tx((tx) =>
      applyEvent(tx, id, { type: 'observe', observation: observation(id, { podUid: 'uid', ...facts }) }),
    );
  await seen({ startedAt: new Date().toISOString() });
  const result = await runBuild(platform, desire);
  const key = { jobId: id, podUid: 'uid', attempt: 0 };
  const lines = `${result.stdout}${result.stderr}`.split('\n').filter((line) => line !== '');
  await appendLine(api.deps.logs, key, Buffer.concat(lines.map((line) => criLine(line))));
  const code = result.code ?? 137;
  await seen({ phase: code === 0 ? 'succeeded' : 'failed', exitCode: code, finishedAt: new Date().toISOString() });
  await api.deps.logs.finish(key, { offset: (await api.deps.logs.position(key))?.length ?? 0, complete: true });
  return { desire, result };
}
