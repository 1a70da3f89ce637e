import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type ApoloClient, apoloClient, tryOpenedUrl } from '../../../peers/src/apolo.ts';
import { expectOk } from '../../../peers/src/command.ts';
import { Browser } from '../../support/browser.ts';
import { brokenCheckout } from '../../support/releases/broken-checkout.ts';
import { releaseCheckout } from '../../support/releases/checkout.ts';
import {
  lastingObjects,
  present,
  UPGRADE,
  untilKilled,
  upByRelease,
  upgradeBy,
  upNow,
} from '../../support/releases/old-instance.ts';
import { RELEASES } from '../../support/releases/releases.ts';
import { type JobDocument, jobDocument } from '../../support/service/api.ts';
import { until } from '../../support/until.ts';

/** A password that ann has chosen for herself. */
const OWN_PASSWORD = 'correct horse battery staple 7';
const COUNTS = 'i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo line $i; sleep 1; done';

const planned = z.object({
  from: z.string(),
  migrations: z.array(z.string()),
  copies: z.array(z.object({ service: z.string(), bytes: z.number() })),
  refusals: z.array(z.object({ what: z.string() })),
});

/** Of all lasting objects, those that the platform has made; the cluster's own add-ons stay with the newer version. */
const ownOf = (objects: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(objects).filter(([name]) => / delos(-node)?\//.test(name)));

const imagesNow = (): Promise<string> => {
  const row = '{.metadata.name} {.spec.template.spec.containers[0].image}{"\\n"}';
  const all = ['kubectl', 'get', 'deployments,statefulsets,daemonsets', '--namespace', 'delos'];
  return expectOk(present([...all, '-o', `jsonpath={range .items[*]}${row}{end}`]));
};

const migrationsNow = (): Promise<string> => {
  const psql = ['psql', '--host=/var/run/postgresql', '--username=postgres', '--dbname=delos', '--tuples-only'];
  const inPod = ['kubectl', 'exec', '--namespace', 'delos', 'postgres-0', '--container', 'postgres', '--'];
  return expectOk(present([...inPod, ...psql, '--command=select name from schema_migrations']));
};

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

  test('is refused by `up`, which says what to do', async () => {
    const { code, stderr } = await present(['up']);
    expect([code, stderr]).toEqual([
      8,
      expect.stringMatching(/runs 0\.\d+\.\d+, and this checkout is .*\n.*delos upgrade --plan/),
    ]);
  });

  test('is planned for, and left alone', async () => {
    const document = await expectOk(present(['upgrade', '--plan', '--json']));
    const plan = planned.parse(JSON.parse(document));
    expect(plan.from).toBe(release.version);
    expect(plan.migrations).toContain('0011_identity_providers.sql');
    expect(plan.copies).toEqual([{ service: 'postgres', bytes: expect.any(Number) }]);
    expect(plan.refusals.map(({ what }) => what)).toEqual([expect.stringContaining('has to stop')]);
    const { code, stderr } = await present(['upgrade']);
    expect([code, stderr]).toEqual([8, expect.stringContaining('nothing was changed: from')]);
    expect(await lastingObjects()).toEqual(before);
  });

  test('is as it was after an upgrade of which one service does not start', async () => {
    const images = await imagesNow();
    const broken = await brokenCheckout();
    try {
      const { code, stderr } = await upgradeBy(broken.folder, '--gate-limit', '60');
      expect([code, stderr]).toEqual([
        5,
        expect.stringMatching(/was undone\. Gate services: Deployment delos\/scheduler/),
      ]);
    } finally {
      await broken.remove();
    }
    expect(ownOf(await lastingObjects())).toEqual(ownOf(before));
    expect(await imagesNow()).toEqual(images);
    expect(await migrationsNow()).not.toContain('0006_users.sql');
    expect(await ann.ok(['logs', jobs.finished])).toBe('the first line\nthe last line\n');
    expect(await job(jobs.finished)).toMatchObject({ status: 'succeeded' });
    // Where its forerunner was lost with its node, it runs under the former version.
    if ((await job(jobs.running)).status === 'running') expect((await job(jobs.waiting)).status).toBe('pending');
    else await reaches(jobs.waiting, 'succeeded');
    // 0.1.0's own command finds its stack again.
    const { changes } = await upByRelease(await releaseCheckout(release));
    expect(changes).toMatchObject({ create: 0, delete: 0, replace: 0 });
  });

  test('is taken over by an upgrade that is killed twice and started again, and loses nothing', async () => {
    await untilKilled(UPGRADE, /restore point$/m, 500);
    const { code, stderr } = await present(['up']);
    expect([code, stderr]).toEqual([8, expect.stringContaining('an upgrade from')]);
    await untilKilled(UPGRADE, /updating StatefulSet delos\/postgres/, 3000);
    await expectOk(present(UPGRADE, { timeout: 1700 }));
    expect(await lastingObjects()).toMatchObject(before);
    const again = await upNow();
    expect(again.changes).toMatchObject({ create: 0, update: 0, delete: 0, replace: 0 });
    expect(await expectOk(present(['upgrade', '--confirm']))).toContain('is removed');
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
