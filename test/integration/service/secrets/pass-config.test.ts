import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type ApoloClient, apoloClient } from '../../../../peers/src/apolo.ts';
import { applyConfig } from '../../../../runtime/service/src/db/apply-config.ts';
import { sweepJobTokens } from '../../../../runtime/service/src/db/secrets/job-tokens.ts';
import { rewrapSecrets } from '../../../../runtime/service/src/db/secrets/rows.ts';
import { TEST_CONFIG } from '../../../support/service/control-api.ts';
import { FIRST, IN_ONE, SECOND, SecretApi } from './secret-api.ts';

/* Jobs that work with the platform as their owner (`--pass-config`). */

const secrets = new SecretApi();
let client: ApoloClient;
beforeAll(async () => {
  client = await apoloClient();
});
afterAll(async () => {
  await client?.close();
});
afterEach(async () => {
  Object.assign(secrets.api.deps.settings, { publicUrl: secrets.api.url });
  await secrets.database.tx((tx) => applyConfig(tx, TEST_CONFIG, 'default'));
});

async function start(): Promise<string> {
  Object.assign(secrets.api.deps.settings, { publicUrl: 'https://delos.example' });
  const { status, json, text } = await secrets.run({ pass_config: true });
  expect(status, text).toBe(202);
  expect(json.pass_config).toBe(true);
  await secrets.admit(json.id);
  return json.id;
}

async function passed(id: string): Promise<{ readonly token: string }> {
  const [text = ''] = await secrets.values(id);
  return JSON.parse(Buffer.from(text, 'base64').toString());
}

async function asked(token: string): Promise<readonly [number, string]> {
  const headers = { authorization: `Bearer ${token}` };
  const answer = await fetch(`${secrets.api.url}/api/v1/secrets?${IN_ONE}`, { headers });
  return [answer.status, await answer.text()];
}

test('a job has what the client logs in by, and a token that is its owner’s and ends with it', async () => {
  const id = await start();
  const { kept } = await secrets.desired(id);
  expect(kept.spec.pod.secrets).toMatchObject([{ env: ['APOLO_PASSED_CONFIG', 'NEURO_PASSED_CONFIG'], files: [] }]);
  const config = await passed(id);
  expect(config).toEqual({
    token: expect.any(String),
    cluster: 'default',
    url: 'https://delos.example/api/v1',
    org_name: 'acme',
    project_name: 'one',
  });
  expect(await asked(config.token)).toEqual([200, '[]']);
  expect((await asked(`${config.token}x`))[0]).toBe(401);
  // The same at an address that is here.
  Object.assign(secrets.api.deps.settings, { publicUrl: secrets.api.url });
  const here = { ...config, url: `${secrets.api.url}/api/v1` };
  const env = { APOLO_PASSED_CONFIG: Buffer.from(JSON.stringify(here)).toString('base64') };
  expect(await client.ok(['-q', 'ps'], { env })).toContain(id);
  await secrets.api.request('alice', 'DELETE', `/jobs/${id}`);
  expect(await asked(config.token)).toEqual([401, expect.stringContaining('its job has ended')]);
  const late = await client.run(['-q', 'ps'], { env });
  expect([late.code, late.stderr]).toEqual([77, expect.stringContaining('its job has ended')]);
  await sweepJobTokens(secrets.database.db);
  expect(await secrets.database.db.selectFrom('job_tokens').selectAll().execute()).toEqual([]);
});

test('its token is good while the platform’s key is changed', async () => {
  const id = await start();
  const { token } = await passed(id);
  secrets.accepted = [SECOND, FIRST];
  expect(await rewrapSecrets(secrets.database, secrets.keys)).toBe(1);
  secrets.accepted = [SECOND];
  expect((await passed(id)).token).toBe(token);
  expect((await asked(token))[0]).toBe(200);
});

test('its token gives no more rights than its owner has now', async () => {
  const { token } = await passed(await start());
  await secrets.add('seen', 'x');
  expect((await asked(token))[1]).toContain('seen');
  await secrets.database.db.deleteFrom('members').where('user_name', '=', 'alice').execute();
  expect(await asked(token)).toEqual([200, '[]']);
});

test('it is refused where jobs do not reach the platform', async () => {
  const { status, json } = await secrets.run({ pass_config: true });
  expect([status, json.error]).toEqual([
    501,
    expect.stringMatching(/^pass_config: --pass-config: a job does not reach this platform at http:\/\/127/),
  ]);
});
