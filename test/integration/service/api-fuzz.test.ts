import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startApiOnPostgres, type TestApi } from '../../support/service/control-api.ts';

let served: Awaited<ReturnType<typeof startApiOnPostgres>>;
let api: TestApi;

beforeAll(async () => {
  served = await startApiOnPostgres();
  ({ api } = served);
});

afterAll(() => served?.stop());

const RUNS = { numRuns: 150 };
const VALID = {
  preset_name: 'cpu-small',
  org_name: 'acme',
  project_name: 'one',
  image: 'ubuntu',
  command: 'echo',
  env: { A: 'b' },
  tags: ['t'],
  http: { port: 80 },
  resources: { shm: true },
};
const KEYS = [
  ...Object.keys(VALID),
  'name',
  'description',
  'schedule_timeout',
  'max_run_time_minutes',
  'priority',
  'container',
];

test('whatever is posted is a job or the sender’s mistake, told in at most five lines', async () => {
  const mutation = fc.tuple(
    fc.constantFrom(...KEYS),
    fc.oneof(fc.jsonValue({ maxDepth: 3 }), fc.string({ unit: 'binary' })),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(mutation, { minLength: 1, maxLength: 3 }), fc.boolean(), async (changes, preset) => {
      const path = preset ? '/jobs?from_preset' : '/jobs';
      const answer = await api.request('alice', 'POST', path, { ...VALID, ...Object.fromEntries(changes) });
      expect([202, 400, 403, 409, 501]).toContain(answer.status);
      if (answer.status === 202) expect(answer.json.id).toMatch(/^job-/);
      else expect(answer.json.error).not.toContain('\n');
    }),
    RUNS,
  );
});

test('whatever is asked for is answered, never by a failure of ours', async () => {
  const key = fc.constantFrom('status', 'name', 'owner', 'tag', 'since', 'until', 'limit', 'reverse', 'org_name', 'x');
  const value = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('1', 'running', '2026-01-01T00:00:00Z', '9e99'),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(key, value), { maxLength: 4 }),
      fc.string({ unit: 'binary' }),
      async (query, id) => {
        const text = query.map(([name, given]) => `${name}=${safe(given)}`).join('&');
        expect((await api.request('alice', 'GET', `/jobs?${text}`)).status).toBeLessThan(500);
        if (id.trim() === '' || id === '.' || id === '..') return;
        expect((await api.request('alice', 'GET', `/jobs/${safe(id)}`)).status).toBeLessThan(500);
      },
    ),
    RUNS,
  );
});

/** Percent-encoded; lone surrogates cannot be. */
function safe(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}
