import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SCHEMATHESIS } from '@delos/artifacts';
import { platformConfig } from '@delos/core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { execute } from '../../../peers/src/command.ts';
import { pythonClient } from '../../../peers/src/python-client.ts';
import { BUCKET_CONFIG, type BucketWorld, bucketWorld } from '../../support/objects/bucket-world.ts';

/*
 * Schemathesis asks the control API whatever its OpenAPI document allows, and what it does not: with a token and without one. What it has found
 * stays in test/integration/service/api-fuzz.test.ts.
 */

/** Of both runs together. */
const SECONDS = Number(process.env.DELOS_TEST_FUZZ_SECONDS ?? 1200);
const MUCH = { perSecond: 100_000, burst: 1_000_000 };
/** What is said to be no part of a release is no failure. */
const CONFIG = `[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", 501]
`;

let world: BucketWorld;
let folder: string;
let program: string;
beforeAll(async () => {
  const config = platformConfig.parse({ ...BUCKET_CONFIG, requests: { ofUser: MUCH, ofSource: MUCH } });
  [world, program] = await Promise.all([bucketWorld({}, config), pythonClient([SCHEMATHESIS])]);
  folder = await mkdtemp(join(tmpdir(), 'delos-openapi-'));
  await writeFile(join(folder, 'schemathesis.toml'), CONFIG);
});
afterAll(async () => {
  await world?.stop();
  await rm(folder, { recursive: true, force: true });
});

test.each(['a token', 'no token'])('with %s, no answer is a server error, undocumented or late', async (who) => {
  const token = ['--header', `Authorization: Bearer ${await world.issuer.token('alice', { exp: 4_000_000_000 })}`];
  const { code, stdout, stderr } = await execute(
    [
      ...[join(program, 'bin/schemathesis'), '--config-file', join(folder, 'schemathesis.toml'), '--no-color'],
      ...['run', `${world.api.url}/api/v1/openapi.json`, '--url', world.api.url],
      ...(who === 'a token' ? token : []),
      ...['--checks', 'not_a_server_error,status_code_conformance', '--request-timeout', '10'],
      ...['--max-time', String(SECONDS / 2), '--continue-on-failure', '--suppress-health-check', 'all', '--no-shrink'],
    ],
    { cwd: folder, timeout: SECONDS / 2 + 600, env: { PATH: '/usr/bin:/bin', HOME: folder } },
  );
  expect(code, `${stdout.slice(-20_000)}\n${stderr}`).toBe(0);
  expect(await world.api.request('alice', 'GET', '/jobs?limit=1')).toMatchObject({ status: 200 });
});
