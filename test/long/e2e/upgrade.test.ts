import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type ApoloClient, apoloClient, tryOpenedUrl } from '../../../peers/src/apolo.ts';
import { expectOk } from '../../../peers/src/command.ts';
import { Browser } from '../../support/browser.ts';
import { releaseCheckout } from '../../support/releases/checkout.ts';
import { lastingObjects, present, upByRelease, upNow, upUntilKilled } from '../../support/releases/old-instance.ts';
import { RELEASES } from '../../support/releases/releases.ts';
import { type JobDocument, jobDocument } from '../../support/service/api.ts';
import { until } from '../../support/until.ts';

/** A password that ann has chosen for herself. */
const OWN_PASSWORD = 'correct horse battery staple 7';
const COUNTS = 'i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo line $i; sleep 1; done';

describe.each(RELEASES)('an instance that release $version brought up', (release) => {
  let apiUrl: string;
  let ann: ApoloClient;
  let token: string;
  let before: Readonly<Record<string, string>>;
  const jobs: Record<'finished' | 'running' | 'waiting', string> = { finished: '', running: '', waiting: '' };

  const job = async (id: string): Promise<JobDocument> => {
    const response = await fetch(`${apiUrl}/jobs/${id}`, { headers: { authorization: `Bearer ${token}` } });
    return jobDocument.parse(await response.json());
  };
  const reaches = (id: string, ...wanted: readonly string[]): Promise<JobDocument> =>
    until(`${id} is ${wanted.join(' or ')}`, 300, async (last) => {
      const seen = await job(id).catch(() => undefined);
      last(seen?.history);
      return seen !== undefined && wanted.includes(seen.status) ? seen : undefined;
    });
  const run = async (options: readonly string[], ...command: readonly string[]): Promise<string> => {
    const all = ['--detach', '--no-wait-start', '--preset', 'tiny', ...options];
    const said = await ann.ok(['-q', 'run', ...all, 'ghcr.io/neuro-inc/base', '--', ...command]);
    return /job-[0-9a-f-]{36}/.exec(said)?.[0] ?? said;
  };
  /** Logs in as a person does who has a browser. */
  const logIn = async (client: ApoloClient, password: string, next?: string): Promise<void> => {
    const login = client.start(['login', apiUrl], { timeout: 100 });
    const url = await until('the client opens its browser', 60, () => tryOpenedUrl(client));
    const browser = new Browser();
    const page = await browser.open(next === undefined ? url : `${url}&kc_action=UPDATE_PASSWORD`);
    const after = await browser.submit(page, { username: 'ann', password });
    if (next !== undefined) await browser.submit(after, { 'password-new': next, 'password-confirm': next });
    const { code, stderr } = await login.end;
    expect(code, stderr).toBe(0);
  };

  beforeAll(async () => {
    const checkout = await releaseCheckout(release);
    await expectOk(present(['down', '--delete-data']));
    ({ apiUrl } = await upByRelease(checkout));
    ann = await apoloClient();
    const users = z.object({ users: z.array(z.object({ name: z.string(), password: z.string() })) });
    const status = users.parse(JSON.parse(await expectOk(present(['status', '--show-passwords', '--json']))));
    await logIn(ann, status.users.find(({ name }) => name === 'ann')?.password ?? '', OWN_PASSWORD);
    await ann.ok(['config', 'switch-project', 'default']);
    token = (await ann.ok(['config', 'show-token'])).trim();
    jobs.finished = await run([], 'sh', '-c', 'echo the first line; echo the last line');
    await reaches(jobs.finished, 'succeeded');
    jobs.running = await run([], 'sh', '-c', COUNTS);
    await reaches(jobs.running, 'running');
    // The project may have one running job.
    jobs.waiting = await run(['--wait-for-seat'], 'echo', 'after the upgrade');
    before = await lastingObjects();
  });

  afterAll(async () => {
    await ann?.close();
    await expectOk(present(['down', '--delete-data']));
  });

  test('is taken over by an `up` that is killed and started again, and loses nothing', async () => {
    await upUntilKilled(/updating StatefulSet delos\/postgres/, 3000);
    const { changes } = await upNow();
    expect(changes).toMatchObject({ delete: 0, replace: 0 });
    expect(await lastingObjects()).toMatchObject(before);
    const again = await upNow();
    expect(again.changes).toMatchObject({ create: 0, update: 0, delete: 0, replace: 0 });
  });

  test('keeps its users, with passwords of their own and open sessions', async () => {
    expect(
      (await fetch(`${apiUrl}/jobs?cluster_name=default`, { headers: { authorization: `Bearer ${token}` } })).status,
    ).toBe(200);
    const elsewhere = await apoloClient();
    try {
      await logIn(elsewhere, OWN_PASSWORD);
      expect(await elsewhere.ok(['config', 'show'])).toMatch(/User name:?\s+ann/i);
    } finally {
      await elsewhere.close();
    }
  });

  test('keeps the log of a job that had ended', async () => {
    expect(await job(jobs.finished)).toMatchObject({ status: 'succeeded', history: { exit_code: 0 } });
    expect(await ann.ok(['logs', jobs.finished])).toBe('the first line\nthe last line\n');
  });

  test('has its running job run on, or says that it was lost with its node', async () => {
    const { status, history } = await job(jobs.running);
    if (status !== 'running') expect({ status, ...history }).toMatchObject({ status: 'failed', exit_code: 255 });
    expect(await ann.ok(['logs', jobs.running], { timeout: 60 })).toMatch(/^line 1\nline 2\n/);
    if (status === 'running') await ann.ok(['kill', jobs.running]);
  });

  test('runs the job that had waited', async () => {
    await reaches(jobs.waiting, 'succeeded');
    expect(await ann.ok(['logs', jobs.waiting])).toBe('after the upgrade\n');
  });
});
