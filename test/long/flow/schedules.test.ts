import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { sweepSchedules } from '../../../runtime/service/src/api/schedules/run-schedules.ts';
import { signatureOf } from '../../../runtime/service/src/api/schedules/signature.ts';
import { rewrapTriggers, triggerSecret } from '../../../runtime/service/src/db/flow/trigger-secrets.ts';
import { liveOf } from '../../../runtime/service/src/live-secret.ts';
import { type BakingPlatform, startBakingPlatform } from '../../support/bakes/baking-platform.ts';
import type { Answer } from '../../support/service/control-api.ts';
import { until } from '../../support/until.ts';

/* Schedules and triggers over a real PostgreSQL; the time is handed in. Jobs are processes of this machine. */

const IMAGE = 'ghcr.io/neuro-inc/base:latest';
let platform: BakingPlatform;

beforeAll(async () => {
  platform = await startBakingPlatform();
});
afterAll(() => platform?.stop());
beforeEach(async () => {
  await platform.served.database.db.deleteFrom('flow_schedules').execute();
  // The engine may be writing of a bake of the test before: the two then wait for each other, and PostgreSQL ends this one.
  await until('nothing is left of the test before', 20, () =>
    platform.served.database.db
      .deleteFrom('flow_projects')
      .execute()
      .then(
        () => true,
        () => undefined,
      ),
  );
});

const ask = (method: string, path: string, body?: unknown, user = 'alice'): Promise<Answer> =>
  platform.served.api.request(user, method, `/flow/${path}`, body);
const bake = (bash: string, more: object = {}) => ({
  ...{ org_name: 'acme', project_name: 'one', flow: 'mine', batch: 'nightly', workspace: '/w' },
  flow_file: {
    filename: '/w/nightly.yml',
    content: `kind: batch\nparams: { word: none }\ntasks:\n  - { id: a, image: "${IMAGE}", preset: cpu-small, bash: "${bash}" }\n`,
  },
  ...more,
});
const OUT = "echo '::set-output name=word::${{ params.word }}'";
const add = async (fields: object): Promise<Answer['json']> => {
  const made = await ask('POST', 'schedules', { name: 'nightly', cron: '0 2 * * *', bake: bake(OUT), ...fields });
  expect(made.status, made.text).toBe(201);
  return made.json;
};
const runs = async (
  id: string,
): Promise<readonly { cause: string; outcome: string; bake: string | null; why: string }[]> =>
  (await ask('GET', `schedules/${id}`)).json.runs;
const settled = (id: string): Promise<{ result: string }> =>
  until('the end of the bake', 60, async () => {
    const { json } = await ask('GET', `bakes/${id}/report`);
    return json.settled === true ? json : undefined;
  });
const DAY = 86_400_000;

describe('a schedule', () => {
  test('makes a bake when it is due, once, however many look at once; it is its owner’s', async () => {
    const made = await add({ missed: 'once', time_zone: 'Europe/Berlin' });
    expect(made).toMatchObject({ owner: 'alice', org_name: 'acme', batch: 'nightly', trigger_url: null, runs: [] });
    const due = Date.parse(made.next_at);
    await sweepSchedules(platform.served.api.deps, due - 1);
    expect(await runs(made.id)).toEqual([]);
    await Promise.all(Array.from({ length: 8 }, () => sweepSchedules(platform.served.api.deps, due + 1000)));
    await sweepSchedules(platform.served.api.deps, due + 2000);
    const [run, ...others] = await runs(made.id);
    expect([others, run]).toEqual([[], expect.objectContaining({ cause: 'time', outcome: 'baked', at: made.next_at })]);
    expect((await settled(run?.bake ?? '')).result).toBe('succeeded');
    const job = await platform.served.database.db
      .selectFrom('jobs')
      .select('owner')
      .where('carries', '=', run?.bake ?? '')
      .executeTakeFirst();
    expect(job?.owner).toBe('alice');
    const { next_at: next } = (await ask('GET', `schedules/${made.id}`)).json;
    expect(Date.parse(next)).toBeGreaterThan(due + DAY / 2);
  });

  test('makes up for missed runs as it is told; what refuses a bake is written down, and the next run is tried', async () => {
    const skip = await add({ name: 'skip', missed: 'skip' });
    const once = await add({ name: 'once', missed: 'once' });
    const all = await add({ name: 'all', missed: 'all', overlap: true });
    const gone = await add({ name: 'gone', missed: 'once' });
    await platform.served.database.db
      .updateTable('flow_schedules')
      .set({ owner: 999_999 })
      .where('id', '=', gone.id)
      .execute();
    const later = Date.parse(all.next_at) + 3 * DAY + DAY / 2;
    await sweepSchedules(platform.served.api.deps, later);
    expect([(await runs(skip.id)).length, (await runs(once.id)).length, (await runs(all.id)).length]).toEqual([
      0, 1, 4,
    ]);
    expect((await runs(gone.id)).map(({ outcome, why }) => [outcome, why])).toEqual([
      ['refused', expect.stringContaining('not one of this platform')],
    ]);
    expect((await ask('GET', `schedules/${gone.id}`)).json.next_at).not.toBeNull();
  });

  test('does not begin while the bake before has not ended, unless it may', async () => {
    const slow = await add({ name: 'slow', bake: bake('sleep 60') });
    expect((await ask('POST', `schedules/${slow.id}/run`)).json.outcome).toBe('baked');
    const second = (await ask('POST', `schedules/${slow.id}/run`)).json;
    expect([second.outcome, second.bake, second.why]).toEqual([
      'skipped',
      null,
      expect.stringContaining('has not ended'),
    ]);
    const [, first] = await runs(slow.id);
    await ask('POST', `bakes/${first?.bake}/cancel`);
    expect((await ask('DELETE', `schedules/${slow.id}`)).status).toBe(204);
    expect((await ask('GET', `bakes/${first?.bake}/report`)).json.result).toBe('cancelled');
  });

  test('is refused with what is wrong, and is nobody’s of another project', async () => {
    const refused = async (fields: object) => {
      const { status, json } = await ask('POST', 'schedules', {
        name: 'x',
        cron: '0 2 * * *',
        bake: bake(OUT),
        ...fields,
      });
      return [status, json.error];
    };
    expect(await refused({ cron: '61 * * * *' })).toEqual([400, expect.stringContaining('61')]);
    expect(await refused({ time_zone: 'Mars/One' })).toEqual([400, expect.stringContaining('time zone')]);
    expect(await refused({ cron: null })).toEqual([400, expect.stringContaining('a trigger')]);
    expect(await refused({ bake: bake(OUT, { params: { other: '1' } }) })).toEqual([
      400,
      expect.stringContaining('other'),
    ]);
    expect((await ask('POST', 'schedules', { name: 'x', cron: '0 2 * * *', bake: bake(OUT) }, 'bob')).status).toBe(403);
    const made = await add({ name: 'mine' });
    expect((await ask('POST', 'schedules', { name: 'mine', cron: '0 2 * * *', bake: bake(OUT) })).status).toBe(409);
    expect((await ask('GET', `schedules/${made.id}`, undefined, 'bob')).status).toBe(404);
    expect((await ask('DELETE', `schedules/${made.id}`, undefined, 'rita')).status).toBe(403);
    expect((await ask('GET', 'schedules', undefined, 'bob')).json).toEqual([]);
  });
});

describe('a trigger', () => {
  const send = async (
    schedule: { id: string; trigger_secret: string },
    body: string,
    {
      id = randomUUID(),
      at = Date.now(),
      secret = schedule.trigger_secret,
    }: { id?: string; at?: number; secret?: string } = {},
  ) => {
    const timestamp = String(Math.floor(at / 1000));
    const key = Buffer.from(secret.replace('whsec_', ''), 'base64');
    const response = await fetch(`${platform.served.api.url}/api/v1/flow/triggers/${schedule.id}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'webhook-id': id,
        'webhook-timestamp': timestamp,
        'webhook-signature': `v1,${signatureOf(key, { id, timestamp, body }).toString('base64')}`,
      },
      body,
    });
    return { status: response.status, json: JSON.parse(await response.text()) };
  };

  test('makes the bake for whoever can sign, with parameters; the same request is taken once', async () => {
    const made = await add({ cron: null, trigger: true, overlap: true });
    expect(made).toMatchObject({ next_at: null, trigger_secret: expect.stringMatching(/^whsec_/) });
    expect((await ask('GET', `schedules/${made.id}`)).json.trigger_secret).toBeUndefined();
    const body = JSON.stringify({ params: { word: 'pushed' }, ref: 'refs/heads/main' });
    const both = await Promise.all([send(made, body, { id: 'one' }), send(made, body, { id: 'one' })]);
    expect(both.map(({ status }) => status).toSorted()).toEqual([202, 409]);
    const id = both.find(({ status }) => status === 202)?.json.bake;
    expect((await settled(id)).result).toBe('succeeded');
    expect((await ask('GET', `bakes/${id}/report`)).json.params).toEqual({ word: 'pushed' });
    const old = Date.now() - 301_000;
    for (const wrong of [{ at: old }, { at: Date.now() + 301_000 }, { secret: 'whsec_AAAA' }]) {
      expect((await send(made, '{}', wrong)).status).toBe(401);
    }
    const none = { ...made, id: 'schedule-none' };
    expect((await send(none, '{}')).json).toEqual((await send(made, '{}', { secret: 'whsec_AAAA' })).json);
    const unsigned = await add({ name: 'unsigned' });
    expect((await send({ ...unsigned, trigger_secret: 'whsec_AAAA' }, '{}')).status).toBe(401);
    expect((await runs(made.id)).length).toBe(1);
  });

  test('takes its secret along when the platform’s key is another', async () => {
    const made = await add({ cron: null, trigger: true });
    const { db } = platform.served.database;
    const keys = liveOf('test-key-of-secrets-0123456789');
    const before = await triggerSecret(db, keys, made.id);
    expect(`whsec_${before?.toString('base64')}`).toBe(made.trigger_secret);
    const [former, next] = ['test-key-of-secrets-0123456789', 'another-key-of-secrets-0123456789'];
    const both = liveOf({ current: () => next, accepted: () => [next, former] });
    expect(await platform.served.database.tx((tx) => rewrapTriggers(tx, both))).toBe(1);
    expect(await triggerSecret(db, keys, made.id)).toBeUndefined();
    expect(await triggerSecret(db, liveOf(next), made.id)).toEqual(before);
  });
});

test('what people want to be told is seen by Prometheus: a failure until it is mended, and an end for some minutes', async () => {
  const submit = async (bash: string): Promise<string> => {
    const made = await ask('POST', 'bakes/submit', bake(bash, { notify: ['failure', 'end'] }));
    expect(made.status, made.text).toBe(201);
    await settled(made.json.id);
    return made.json.id;
  };
  const seen = (name: string, labels: string): Promise<true> =>
    until(`${name}{${labels}}`, 30, async () => {
      const text = await platform.served.api.deps.metrics.getSingleMetricAsString(name);
      return text.split('\n').some((line) => line.includes(labels)) || undefined;
    });
  const place = 'org="acme",project="one",flow="mine",batch="nightly"';
  const failed = await submit('exit 3');
  await seen('delos_flow_batch_failed', `${place}} 1`);
  await seen('delos_flow_bake_ended', `${place},result="failed",bake="${failed}"} 1`);
  const mended = await submit('true');
  await seen('delos_flow_bake_ended', `result="succeeded",bake="${mended}"} 1`);
  await until('the failure is over', 30, async () => {
    const text = await platform.served.api.deps.metrics.getSingleMetricAsString('delos_flow_batch_failed');
    return !text.includes('nightly') || undefined;
  });
});
