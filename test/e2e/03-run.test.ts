import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ApoloClient } from '../../peers/src/apolo.ts';
import { kubectl, loggedIn } from '../support/instance.ts';
import { type Api, api, IMAGE, type JobDocument } from '../support/service/api.ts';
import { until } from '../support/until.ts';

/** The id in what the client prints. */
export const idIn = (output: string): string => {
  const id = /job-[0-9a-f-]{36}/.exec(output)?.[0];
  if (id === undefined) throw new Error(`no job id in:\n${output}`);
  return id;
};

describe('apolo run', () => {
  let ann: ApoloClient;
  let platform: Api;
  beforeAll(async () => {
    ann = await loggedIn('ann');
    platform = await api('ann');
  });
  afterAll(() => ann?.close());

  const detached = async (...args: string[]): Promise<JobDocument> =>
    platform.job(idIn(await ann.ok(['run', '--detach', '--no-wait-start', '-s', 'tiny', ...args])));

  test('attached, prints what the container printed and ends with its exit code', async () => {
    const good = await ann.run(['run', '-s', 'tiny', IMAGE, '--', 'echo', 'words of the job']);
    expect(good.code, good.stderr).toBe(0);
    expect(good.stdout).toContain('words of the job');
    const bad = await ann.run(['run', '-s', 'tiny', IMAGE, '--', 'sh -c "echo failing; sleep 3; exit 42"']);
    expect(bad.code, bad.stderr).toBe(42);
    expect(bad.stdout).toContain('failing');
  });

  test('shows output while the job still runs', async () => {
    const run = ann.start(['run', '-s', 'tiny', '-n', 'slow-talker', IMAGE, '--', 'sh -c "echo first; sleep 600"']);
    await until('the first line is shown', 90, () => (run.stdout().includes('first') ? true : undefined));
    expect((await ann.run(['kill', 'slow-talker'])).code).toBe(0);
    await run.end;
  });

  test('detached, returns once the job has started and leaves it running', async () => {
    const out = await ann.ok(['run', '--detach', '-s', 'tiny', IMAGE, '--', 'sleep', '600']);
    const id = idIn(out);
    expect((await platform.job(id)).status).toBe('running');
    await ann.ok(['kill', id]);
    expect((await platform.ended(id)).status).toBe('cancelled');
  });

  test('gives the container command, entrypoint, working folder and environment', async () => {
    const byEntrypoint = await detached('--entrypoint', 'sh -c', IMAGE, '--', 'echo entry "$0"', 'zero');
    const inFolder = await detached(
      '-w',
      '/tmp',
      '-e',
      'COLOUR=deep blue',
      '-e',
      'EMPTY=',
      IMAGE,
      '--',
      "sh -c 'pwd; env'",
    );
    await platform.ended(byEntrypoint.id);
    await platform.ended(inFolder.id);
    expect((await platform.log(byEntrypoint.id)).toString()).toContain('entry zero');
    const log = (await platform.log(inFolder.id)).toString();
    expect(log).toMatch(/^\/tmp$/m);
    expect(log).toMatch(/^COLOUR=deep blue$/m);
    expect(log).toMatch(/^EMPTY=$/m);
  });

  test('keeps name, tags, description, priority, http port, life-span, schedule timeout and restart policy', async () => {
    const job = await detached(
      ...['-n', 'all-options', '--tag', 'red', '--tag', 'blue', '-d', 'says what it is for'],
      ...['--life-span', '2h', '--schedule-timeout', '3m', '--restart', 'on-failure', '--priority', 'high'],
      ...['--http-port', '8123', '--no-http-auth', IMAGE, '--', 'sleep', '600'],
    );
    expect(job).toMatchObject({
      name: 'all-options',
      description: 'says what it is for',
      preset_name: 'tiny',
      priority: 'high',
      restart_policy: 'on-failure',
      schedule_timeout: 180,
      max_run_time_minutes: 120,
      container: { http: { port: 8123, requires_auth: false } },
    });
    expect([...(job.tags ?? [])].sort()).toEqual(['blue', 'red']);
    await platform.running(job.id);
    const status = await ann.ok(['status', 'all-options']);
    for (const text of ['all-options', 'red', 'blue', 'says what it is for', 'running']) expect(status).toContain(text);
    await ann.ok(['kill', 'all-options']);
  });

  test('gives real /dev/shm, as large as the preset’s memory and not the runtime’s 64 MiB', async () => {
    const job = await detached('-s', 'small', IMAGE, '--', 'sh -c "df -B1 --output=size /dev/shm | tail -1"');
    const without = await detached('-s', 'small', '-X', IMAGE, '--', 'sh -c "df -B1 --output=size /dev/shm | tail -1"');
    await platform.ended(job.id);
    await platform.ended(without.id);
    expect(Number((await platform.log(job.id)).toString())).toBe(256 * 2 ** 20);
    expect(Number((await platform.log(without.id)).toString())).toBe(64 * 2 ** 20);
  });

  test('gives the preset’s devices and resources to the Pod, in the project’s own namespace', async () => {
    const job = await detached('-s', 'gpu', IMAGE, '--', 'sleep', '600');
    const { namespace } = await platform.running(job.id);
    const pod = JSON.parse(await kubectl(['get', 'pod', '-n', namespace ?? '', job.id, '-o', 'json'])) as {
      spec: {
        automountServiceAccountToken?: boolean;
        containers: { resources: { limits: object }; securityContext: object }[];
        securityContext: object;
      };
    };
    expect(pod.spec.containers[0]?.resources.limits).toMatchObject({
      'nvidia.com/gpu': '1',
      memory: String(64 * 2 ** 20),
    });
    expect(pod.spec.automountServiceAccountToken).toBe(false);
    expect(pod.spec.securityContext).toMatchObject({ seccompProfile: { type: 'RuntimeDefault' } });
    expect(pod.spec.containers[0]?.securityContext).toMatchObject({ allowPrivilegeEscalation: false });
    expect(await kubectl(['get', 'networkpolicy', '-n', namespace ?? '', '-o', 'name'])).not.toBe('');
    const labels = await kubectl(['get', 'namespace', namespace ?? '', '-o', 'jsonpath={.metadata.labels}']);
    expect(JSON.parse(labels)).toMatchObject({ 'pod-security.kubernetes.io/enforce': 'baseline' });
    await ann.ok(['kill', job.id]);
  });

  test('runs privileged only where both preset and project allow it', async () => {
    const refused = await platform.call('POST', '/jobs?from_preset', {
      ...{ preset_name: 'root', image: IMAGE, cluster_name: 'default', org_name: 'default', project_name: 'default' },
      pass_config: false,
      command: 'true',
    });
    expect(refused.status).toBeGreaterThanOrEqual(400);
    const allowed = await platform.create({
      preset_name: 'root',
      project_name: 'trusted',
      command: 'cat /proc/self/status',
    });
    expect((await platform.ended(allowed.id)).status).toBe('succeeded');
    expect((await platform.log(allowed.id)).toString()).toMatch(/NoNewPrivs:\s*0/);
  });

  test('starts a failed container again with --restart on-failure, and tells so', async () => {
    const job = await detached('--restart', 'on-failure', IMAGE, '--', 'sh -c "echo round; sleep 1; exit 3"');
    const again = await until('it was restarted', 120, async (last) => {
      const seen = await platform.job(job.id);
      last(seen.history);
      return (seen.history.restarts ?? 0) >= 1 ? seen : undefined;
    });
    expect(['running', 'pending', 'suspended']).toContain(again.status);
    await ann.ok(['kill', job.id]);
    expect((await platform.ended(job.id)).status).toBe('cancelled');
  });

  test('leaves the job running when the attached client dies', async () => {
    const run = ann.start(['run', '-T', '-s', 'tiny', '-n', 'reader', IMAGE, '--', 'sh -c "echo ready; sleep 600"']);
    await until('the job is ready', 90, () => (run.stdout().includes('ready') ? true : undefined));
    run.child.kill('SIGKILL');
    // The client is gone, the job is not: it was only watched.
    expect((await platform.job(idIn(await ann.ok(['ps', '-n', 'reader', '--format', '{id}'])))).status).toBe('running');
    await ann.ok(['kill', 'reader']);
  });
});
