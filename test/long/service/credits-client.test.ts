import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ApoloClient, apoloClient } from '../../../peers/src/apolo.ts';
import { expectSoundBooks } from '../../support/ledger/in-postgres.ts';
import { type ApiOnPostgres, startApiOnPostgres } from '../../support/service/control-api.ts';

/* The official client gives credits, and shows what there is, against the control API and a real PostgreSQL. */

let served: ApiOnPostgres & { readonly stop: () => Promise<void> };
let admin: ApoloClient;
let alice: ApoloClient;

beforeAll(async () => {
  [served, admin, alice] = await Promise.all([startApiOnPostgres(), apoloClient(), apoloClient()]);
  for (const [client, user] of [
    [admin, 'admin'],
    [alice, 'alice'],
  ] as const) {
    await client.ok(['config', 'login-with-token', await served.issuer.token(user), `${served.api.url}/api/v1`]);
  }
});
afterAll(async () => {
  await admin?.close();
  await alice?.close();
  await served?.stop();
});

test('the administrator adds and sets credits of an organization, its members see them, and nobody else gives them', async () => {
  expect(await alice.ok(['config', 'show'])).toMatch(/Org Credits Quota\s+unlimited/);
  expect(await admin.ok(['admin', 'add-org-credits', 'acme', '--credits', '100.5'])).toMatch(/Credits\s*:?\s*100\.50/);
  expect(await admin.ok(['admin', 'set-org-credits', 'acme', '--credits', '40'])).toMatch(/Credits\s*:?\s*40\.00/);
  expect(await alice.ok(['config', 'show'])).toMatch(/Org Credits Quota\s+40\.00/);
  const refused = await alice.run(['admin', 'add-org-credits', 'acme', '--credits', '1']);
  expect([refused.code === 0, refused.stderr]).toEqual([false, expect.stringContaining('alice may not give credits')]);
  const { json } = await served.api.request('alice', 'GET', '/credits');
  expect(json).toMatchObject([{ org: 'acme', project: null, credits: '40', held: '0', spent: '0', closed: null }]);
  const month = new Date().toISOString().slice(0, 7);
  const statement = (await served.api.request('alice', 'GET', `/credits/acme/statement?month=${month}`)).json;
  expect(statement).toMatchObject({
    opening: '0',
    lines: [
      { kind: 'grant', by: 'admin', credits: '100.5' },
      { kind: 'grant', by: 'admin', credits: '-60.5' },
    ],
    closing: '40',
  });
  await expectSoundBooks(served.database);
});
