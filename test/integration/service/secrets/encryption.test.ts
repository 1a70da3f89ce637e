import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { rewrapSecrets } from '../../../../runtime/service/src/db/secrets/rows.ts';
import { postgresFolder } from '../../../support/service/postgres.ts';
import { FIRST, SECOND, SecretApi, uri } from './secret-api.ts';

/* No value is kept in the clear, and the key that opens them can be changed. */

const secrets = new SecretApi();

describe('the platform’s key', () => {
  test('is changed while all secrets are read, and the former one opens nothing afterwards', async () => {
    for (let index = 0; index < 230; index += 1) await secrets.add(`k${index}`, `value-${index}`);
    const { json } = await secrets.run({ secret_env: { A: uri('k7'), B: uri('k229') } });
    await secrets.admit(json.id);
    const read = async (): Promise<readonly unknown[]> => await secrets.values(json.id);
    secrets.accepted = [FIRST, SECOND];
    expect(await read()).toEqual(['value-7', 'value-229']);
    secrets.accepted = [SECOND, FIRST];
    expect(await read()).toEqual(['value-7', 'value-229']);
    expect(await rewrapSecrets(secrets.database, secrets.keys)).toBe(230);
    expect(await rewrapSecrets(secrets.database, secrets.keys)).toBe(0);
    secrets.accepted = [SECOND];
    expect(await read()).toEqual(['value-7', 'value-229']);
    secrets.accepted = [FIRST];
    expect((await read()).every((text) => String(text).includes('cannot be decrypted'))).toBe(true);
  });

  test('stays where a secret cannot be opened', async () => {
    await secrets.add('k', 'x');
    await secrets.database.db
      .updateTable('secrets')
      .set({ wrapped_key: Buffer.alloc(60) })
      .execute();
    secrets.accepted = [SECOND, FIRST];
    await expect(rewrapSecrets(secrets.database, secrets.keys)).rejects.toMatchObject({
      code: 'ERR_CONFLICT',
      message: 'secret k of project acme/one cannot be decrypted',
    });
  });
});

test('no value stands in a dump of the secrets.database, in a row or in a log, in whatever form', async () => {
  const values = ['seeded-value-4711-of-alice', Buffer.from('seeded\u0000bytes\u0001of-alice')] as const;
  await secrets.add('seeded-text', values[0]);
  await secrets.add('seeded-bytes', values[1]);
  // What is refused is not secrets.logged either.
  await secrets.api.request('alice', 'POST', '/secrets', {
    key: 'k',
    value: `${values[0]}!`,
    org_name: 'acme',
    project_name: 'one',
  });
  await fetch(`${secrets.api.url}/api/v1/secrets`, {
    method: 'POST',
    headers: { authorization: `Bearer ${await secrets.issuer.token('alice')}`, 'content-type': 'application/json' },
    body: `{"key": "k", "value": "${values[0]}`,
  });
  const { json } = await secrets.run({
    secret_env: { A: uri('seeded-text') },
    secret_volumes: [{ src_secret_uri: uri('seeded-bytes'), dst_path: '/s' }],
  });
  await secrets.admit(json.id);
  expect(await secrets.values(json.id)).toEqual(values.map(String));
  const dump = execFileSync(join(postgresFolder(), 'pg_dump'), ['--inserts', secrets.database.name], {
    env: { ...process.env, ...secrets.postgresEnv },
    maxBuffer: 2 ** 28,
  }).toString();
  expect(dump).toContain('seeded-text');
  expect(secrets.logged).toContain('seeded-text');
  for (const value of values.map((each) => Buffer.from(each))) {
    for (const form of [value.toString(), value.toString('base64').replace(/=+$/, ''), value.toString('hex')]) {
      expect(dump.includes(form), form).toBe(false);
      expect(secrets.logged.includes(form), form).toBe(false);
    }
  }
});
