import { spawnSync } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Verifier } from '@delos/audit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ApoloClient, apoloClient } from '../../../peers/src/apolo.ts';
import { expectSoundBooks } from '../../support/ledger/in-postgres.ts';
import { type ApiOnPostgres, startApiOnPostgres } from '../../support/service/control-api.ts';
import { temporaryFolder } from '../../support/setup/temporary-folder.ts';

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
  expect([refused.code === 0, refused.stderr]).toEqual([
    false,
    expect.stringContaining('alice is no administrator of the platform'),
  ]);
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

const MAIN = fileURLToPath(new URL('../../../runtime/service/src/main.ts', import.meta.url));

/** What a program of the services' image answers, as a process of its own. */
function ask(program: string, request: unknown, env: Readonly<Record<string, string>> = {}) {
  const { stdout, status } = spawnSync(process.execPath, [MAIN, program], {
    input: JSON.stringify(request),
    encoding: 'utf8',
    env: { PATH: process.env.PATH ?? '', ...served.postgresEnv, ...env },
  });
  return { status, ...JSON.parse(stdout) };
}

test('operators give, look and verify by the service’s own program; the records of it are exported and verified', () => {
  const add = {
    action: 'add',
    org: 'acme',
    project: 'one',
    credits: '15',
    key: 'k-1',
    by: 'operator root',
    why: 'the grant',
  };
  expect(ask('credits', add)).toMatchObject({ status: 0, result: { done: true } });
  expect(ask('credits', add)).toMatchObject({ status: 0, result: { done: false } });
  expect(ask('credits', { ...add, credits: '16' })).toMatchObject({ status: 1, error: { code: 'ERR_CONFLICT' } });
  expect(ask('credits', { ...add, key: 'k-2', credits: '1000' })).toMatchObject({
    status: 1,
    error: { code: 'ERR_CONFLICT' },
  });
  expect(ask('credits', { action: 'show' }).result).toMatchObject([
    { org: 'acme', project: null, credits: '25' },
    { org: 'acme', project: 'one', credits: '15' },
  ]);
  expect(ask('credits', { action: 'verify' }).result).toEqual({ transactions: 3, faults: [] });

  const file = join(temporaryFolder('audit'), 'key');
  writeFileSync(file, 'a password that this test alone has');
  const key = { DELOS_AUDIT_KEY_FILE: file };
  const [{ publicKey }] = ask('audit', { action: 'keys' }, key).result;
  const { lines } = ask('audit', { action: 'export', after: 0, limit: 1000, sign: true }, key).result;
  const verifier = new Verifier([createPublicKey(publicKey)]);
  for (const line of lines) verifier.line(line);
  expect(verifier.end()).toMatchObject({ faults: [], unanchored: 0 });
  const ls = ask('audit', { action: 'ls', act: 'credits.', actor: 'operator root', after: 0, limit: 10 }, key).result;
  expect(
    ls.map(({ record, opened }: { record: { outcome: string }; opened: { reason: { value: string } } }) => [
      record.outcome,
      opened.reason.value,
    ]),
  ).toEqual([
    ['done', 'the grant'],
    ['done', 'the grant'],
    ['failed', expect.stringContaining('used for another amount')],
    ['failed', expect.stringContaining('has not so many credits left')],
  ]);
});
