import { createHash, randomBytes } from 'node:crypto';
import { freePort } from '@delos/host';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ApoloClient } from '../../peers/src/apolo.ts';
import { ask } from '../support/edge/ask.ts';
import { kubectl, loggedIn, testPlatform, token } from '../support/instance.ts';
import { type Api, api, IMAGE } from '../support/service/api.ts';
import { until } from '../support/until.ts';

describe('apolo job', () => {
  let ann: ApoloClient;
  let platform: Api;
  let early: string;
  let late: string;
  let failing: string;
  beforeAll(async () => {
    ann = await loggedIn('ann');
    platform = await api('ann');
    failing = (await platform.create({ command: 'sh -c "echo last words; exit 7"', tags: ['east', 'sad'] })).id;
    early = (await platform.create({ command: 'sleep 3000', name: 'watcher-one', tags: ['east'], description: 'one' }))
      .id;
    late = (await platform.create({ command: 'sleep 3000', name: 'watcher-two', tags: ['west'] })).id;
    await platform.running(early);
    await platform.running(late);
    await platform.ended(failing);
  });
  afterAll(async () => {
    await ann?.run(['kill', early, late]);
    await ann?.close();
  });

  const ps = async (...args: string[]): Promise<string[]> =>
    (await ann.ok(['ps', '--format', '{id}', ...args]))
      .split('\n')
      .flatMap((line) => /job-[0-9a-f-]{36}/.exec(line) ?? []);

  test.each([
    ['without filter: those that live', [], ['early', 'late'], ['failing']],
    ['by status', ['-s', 'failed'], ['failing'], ['early', 'late']],
    ['all', ['-a'], ['early', 'late', 'failing'], []],
    ['by name', ['-n', 'watcher-one'], ['early'], ['late', 'failing']],
    ['by tag', ['-a', '-t', 'east'], ['early', 'failing'], ['late']],
    ['by several tags: jobs that have all of them', ['-a', '-t', 'east', '-t', 'sad'], ['failing'], ['early', 'late']],
    ['by description', ['-d', 'one'], ['early'], ['late', 'failing']],
    ['by owner', ['-o', 'ME'], ['early', 'late'], []],
    ['by another owner', ['-o', 'bob'], [], ['early', 'late', 'failing']],
    ['since a moment', ['-a', '--since', '1h'], ['early', 'late', 'failing'], []],
    ['until a moment', ['-a', '--until', '1h'], [], ['early', 'late', 'failing']],
    ['by project', ['-a', '-p', 'tight'], [], ['early', 'late', 'failing']],
  ] as const)('ls %s', async (_, args, has, lacks) => {
    const ids = { early, late, failing };
    const listed = await ps(...args);
    for (const key of has) expect(listed, key).toContain(ids[key]);
    for (const key of lacks) expect(listed, key).not.toContain(ids[key]);
  });

  test('ls orders by creation, newest first or last', async () => {
    const order = (listed: readonly string[]): boolean => listed.indexOf(early) < listed.indexOf(late);
    expect(order(await ps('--recent-last'))).toBe(true);
    expect(order(await ps('--recent-first'))).toBe(false);
  });

  test('another user without rights sees none of them', async () => {
    const { apiUrl } = await testPlatform();
    const headers = { authorization: `Bearer ${await token('bob')}` };
    for (const method of ['GET', 'DELETE']) {
      const { status } = await fetch(`${apiUrl}/jobs/${early}`, { method, headers });
      expect([400, 403]).toContain(status);
    }
    expect((await platform.job(early)).status).toBe('running');
  });

  test('status tells exit code and reason of an end', async () => {
    const shown = await ann.ok(['status', failing]);
    expect(shown).toContain('failed');
    expect(shown).toMatch(/\b7\b/);
  });

  test('a live name is unique in its project and is free again afterwards', async () => {
    const clash = await platform.call('POST', '/jobs?from_preset', {
      ...{ preset_name: 'tiny', image: IMAGE, cluster_name: 'default', org_name: 'default', project_name: 'default' },
      ...{ pass_config: false, name: 'watcher-one', command: 'true' },
    });
    expect(clash.status).toBe(409);
    expect(await clash.text()).toContain('watcher-one');
  });

  test('logs follow a live job from its first line and stop at its end', async () => {
    const job = await platform.create({ command: "sh -c 'for i in 1 2 3 4 5 6; do echo tick $i; sleep 1; done'" });
    await platform.running(job.id);
    const logs = await ann.ok(['logs', job.id]);
    for (const i of [1, 2, 3, 4, 5, 6]) expect(logs).toContain(`tick ${i}`);
    expect(logs.match(/tick 1/g)).toHaveLength(1);
    expect((await platform.job(job.id)).status).not.toBe('pending');
  });

  test('logs are there after the Pod is gone, stdout and stderr, byte for byte', async () => {
    const job = await platform.create({
      command: `python3 -c "import sys; sys.stdout.write('no newline at the end: \\u00e9\\t'); sys.stderr.write('to stderr\\n')"`,
    });
    const ended = await platform.ended(job.id);
    await until(`Pod ${job.id} is gone`, 120, async (last) => {
      const left = await kubectl(['get', 'pods', '-n', ended.namespace ?? '', '-o', 'name']);
      last(left);
      return left.includes(job.id) ? undefined : true;
    });
    const log = (await platform.log(job.id)).toString();
    expect(log).toContain('no newline at the end: é\t');
    expect(log).toContain('to stderr');
    expect(await ann.ok(['logs', '--timestamps', job.id])).toMatch(/\d{4}-\d\d-\d\dT[\d:.]+Z? .*to stderr/);
  });

  test('kill ends a running job, and one that waits', async () => {
    const running = await platform.create({ command: 'sleep 3000' });
    const waiting = await platform.create({ command: 'sleep 3000', preset_name: 'huge' });
    await platform.running(running.id);
    await ann.ok(['kill', running.id, waiting.id]);
    for (const { id } of [running, waiting]) expect((await platform.ended(id)).status).toBe('cancelled');
    // A job that never started must still be shown by the client.
    expect(await ann.ok(['status', waiting.id])).toContain('cancelled');
  });

  test.each(['job-00000000-0000-4000-8000-000000000000', 'no-such-name'])(
    'that is not there is named by kill, status, logs and exec: %s',
    async (job) => {
      const absent = `there is no job "${job}"`;
      const killed = await ann.run(['kill', job]);
      expect([killed.code, killed.stdout]).toEqual([1, '']);
      expect(killed.stderr.trim()).toBe(
        `Cannot kill job ${job}: ${absent}; apolo ps --all lists the jobs of your project`,
      );
      for (const args of [['status'], ['logs'], ['exec', '-T']]) {
        const { code, stderr } = await ann.run([...args, job, ...(args[0] === 'exec' ? ['--', 'true'] : [])]);
        expect(code, `${args[0]}: ${stderr}`).toBe(65);
        expect(stderr).toContain(absent);
      }
    },
  );

  test('more life-span is given to a running job', async () => {
    const minutes = async (): Promise<unknown> => (await platform.job(early)).max_run_time_minutes;
    expect(await minutes()).toBe(60);
    await ann.ok(['job', 'bump-life-span', early, '2h']);
    expect(await minutes()).toBe(180);
  });

  test('the command that would run it again is complete', async () => {
    const shown = await ann.ok(['job', 'generate-run-command', early]);
    for (const part of ['--name watcher-one', '--tag east', '--preset tiny', '--life-span', `${IMAGE}:latest`]) {
      expect(shown).toContain(part);
    }
    expect(shown).toMatch(/-- ['"]?sleep 3000/);
  });

  test('its own server answers whole: by port-forward, to jobs of its project, and at its address to whoever may read it', async () => {
    const served = 'x'.repeat(2_000_000);
    const server = `import http.server, sys
open('/tmp/page', 'w').write('x' * 2_000_000)
http.server.ThreadingHTTPServer(('0.0.0.0', 8123), lambda *a: http.server.SimpleHTTPRequestHandler(*a, directory='/tmp')).serve_forever()`;
    const job = await platform.create({
      ...{ preset_name: 'small', name: 'served', command: `python3 -c "${server}"` },
      http: { port: 8123, requires_auth: true },
    });
    await platform.running(job.id);
    const port = await freePort();
    const forward = ann.start(['port-forward', job.id, `${port}:8123`]);
    const body = await until('the server answers', 60, async (last) => {
      last([forward.stdout(), forward.stderr()]);
      return await fetch(`http://127.0.0.1:${port}/page`, { signal: AbortSignal.timeout(20_000) }).then(
        (response) => response.text(),
        () => undefined,
      );
    });
    expect(body === served, `${body.length} bytes`).toBe(true);
    forward.child.kill('SIGKILL');
    await forward.end;
    // Beside it, jobs that ask it by its name: one of the project, and one of another, by the address too.
    const asks = async (project_name: string, hosts: readonly string[]): Promise<string> => {
      const program = `import urllib.request
def size(host):
    try: return len(urllib.request.urlopen('http://' + host + ':8123/page', timeout=5).read())
    except OSError: return 'none'
print(*map(size, ${JSON.stringify(hosts).replaceAll('"', "'")}))`;
      const { id } = await platform.create({ project_name, command: `python3 -c "${program}"` });
      await platform.ended(id);
      return (await platform.log(id)).toString().trim();
    };
    const { namespace } = await platform.job(job.id);
    const address = await kubectl(['get', 'pod', '-n', namespace ?? '', job.id, '-o', 'jsonpath={.status.podIP}']);
    const far = `served.default.${namespace}.svc.cluster.local`;
    const asked = Promise.all([asks('default', ['served.default']), asks('served', ['served.default', far, address])]);
    // The same server, at the job's own address.
    const url = new URL(
      /https?:\/\/served--default-[0-9a-f]{10}\.jobs\.localhost:\d+/.exec(await ann.ok(['status', job.id]))?.[0] ?? '',
    );
    const at = (headers: Readonly<Record<string, string>>) =>
      ask(Number(url.port), url.hostname, { path: '/page', headers });
    const answer = await at({ authorization: `Bearer ${await token('ann')}` });
    expect({ status: answer.status, whole: answer.text === served }).toEqual({ status: 200, whole: true });
    expect((await at({})).status).toBe(401);
    expect((await at({ authorization: `Bearer ${await token('bob')}` })).status).toBe(404);
    expect(await asked).toEqual(['2000000', 'none none none']);
    await ann.ok(['kill', job.id]);
  });

  test('top shows what a job uses, as it is measured', async () => {
    // It works for a part of the time, so that other tests have the machine as well.
    const work = "import time; x = b'x' * (30 * 2**20)\nwhile True: sum(range(400000)); time.sleep(0.05)";
    const job = await platform.create({ command: `python3 -c "${work}"` });
    await platform.running(job.id);
    const top = ann.start(['top', job.id, '--format', '{id} {cpu} {memory}'], { timeout: 200 });
    const [cpu, memory] = await until('a measurement is shown', 150, (last) => {
      last([top.stdout().slice(-300), top.stderr()]);
      const row = new RegExp(`${job.id}\\s+([\\d.]+)\\s+([\\d.]+)`).exec(top.stdout());
      return row === null ? undefined : [Number(row[1]), Number(row[2])];
    });
    // One thread: at most a core, and never less than the preset's share.
    expect(cpu).toBeGreaterThan(0.02);
    expect(cpu).toBeLessThan(1.2);
    expect(memory).toBeGreaterThan(30);
    expect(memory).toBeLessThan(64);
    top.child.kill('SIGKILL');
    await top.end;
    await ann.ok(['kill', job.id]);
  });

  test('exec reaches a running job, and ends as its command ends', async () => {
    const { code, stdout, stderr } = await ann.run(['exec', '-T', early, '--', 'echo from inside']);
    expect(code, stderr).toBe(0);
    expect(stdout).toContain('from inside');
    const failed = await ann.run(['exec', '-T', early, '--', 'sh -c "exit 9"']);
    expect(failed.code).toBe(9);
  });
});

describe('a job with secrets', () => {
  const NAMES = ['e2e-token', 'e2e-bytes'];
  let platform: Api;
  beforeAll(async () => {
    platform = await api('ann');
  });
  afterAll(async () => {
    for (const name of NAMES) await platform?.call('DELETE', `/secrets/${name}?org_name=default&project_name=default`);
  });

  test('has them as variable and as file; its log has no value, and afterwards its cluster has none either', async () => {
    const values = [Buffer.from('seeded-e2e-value'), randomBytes(2 ** 20)];
    for (const [index, value] of values.entries()) {
      const body = { key: NAMES[index], value: value.toString('base64'), org_name: 'default', project_name: 'default' };
      expect((await platform.call('POST', '/secrets', body)).status).toBe(201);
    }
    const uri = (index: number): string => `secret://default/default/default/${NAMES[index]}`;
    const { id, namespace } = await platform.create({
      command: `sh -c 'printf %s "$TOKEN" | sha256sum; sha256sum < /run/token; sha256sum < /etc/deep/bytes; (echo >> /run/token) 2>/dev/null || echo closed'`,
      secret_env: { TOKEN: uri(0) },
      secret_volumes: [
        { src_secret_uri: uri(0), dst_path: '/run/token' },
        { src_secret_uri: uri(1), dst_path: '/etc/deep/bytes' },
      ],
    });
    await platform.ended(id);
    const [text, bytes] = values.map((value) => createHash('sha256').update(value).digest('hex'));
    const log = (await platform.log(id)).toString();
    expect(log.match(/[0-9a-f]{64}|closed/g)).toEqual([text, text, bytes, 'closed']);
    await until('no Secret of it is left', 60, async (last) => {
      const left = await kubectl(['get', 'secrets', '--namespace', namespace ?? '', '--output', 'name']);
      last(left);
      return left.includes(id) ? undefined : true;
    });
  });
});
