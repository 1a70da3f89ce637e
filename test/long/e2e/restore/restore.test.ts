import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UPLOADERS } from '@delos/artifacts';
import { AwsClient } from 'aws4fetch';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type ApoloClient, apoloClient, tryOpenedUrl } from '../../../../peers/src/apolo.ts';
import { execute, expectOk, start } from '../../../../peers/src/command.ts';
import { pythonClient } from '../../../../peers/src/python-client.ts';
import { Browser } from '../../../support/browser.ts';
import {
  delos,
  delosJson,
  kubectl,
  loggedIn,
  password,
  TEST_CONFIG,
  TEST_INSTANCE,
  testPlatform,
  token,
} from '../../../support/instance.ts';
import { type Crane, crane } from '../../../support/registry/crane.ts';
import { api } from '../../../support/service/api.ts';
import { makeWheel } from '../../../support/service/wheel.ts';
import { until } from '../../../support/until.ts';

/* What users did is there again after the cluster is gone with all its data. */

const OWN_PASSWORD = 'correct horse battery staple 9';
const INDEX = 'pypi/default/default/';

describe('a platform that was backed up and lost', () => {
  const folder = mkdtempSync(join(tmpdir(), 'delos-restore-'));
  const key = join(folder, 'key');
  const file = join(folder, 'platform.backup');
  /** The same platform at the port that it had: tokens name the address that they are for. */
  const config = join(folder, 'delos.yaml');
  const jobs = { ended: '', running: '' };
  let before: Awaited<ReturnType<typeof testPlatform>>;
  let annsToken: string;
  let tools: string;
  let ann: ApoloClient;
  let images: Crane;
  /** Of the platform, where images are. */
  const image = (): string => `${new URL(before.origin).host}/default/default/kept:1`;

  const login = async (apiUrl: string, secret: string, next?: string): Promise<ApoloClient> => {
    const client = await apoloClient();
    const running = client.start(['login', apiUrl], { timeout: 100 });
    const url = await until('the client opens its browser', 60, () => tryOpenedUrl(client));
    const browser = new Browser();
    const page = await browser.open(next === undefined ? url : `${url}&kc_action=UPDATE_PASSWORD`);
    const after = await browser.submit(page, { username: 'ann', password: secret });
    if (next !== undefined) await browser.submit(after, { 'password-new': next, 'password-confirm': next });
    const { code, stderr } = await running.end;
    expect(code, stderr).toBe(0);
    return client;
  };
  const object = async (path: string, init?: RequestInit): Promise<Response> => {
    const named = ['get', 'secret', '-n', 'delos', 'object-storage-admin', '-o', 'jsonpath={.data.secret}'];
    const secretAccessKey = Buffer.from(await kubectl(named), 'base64').toString();
    const admin = { accessKeyId: 'delos_admin', secretAccessKey, service: 's3', region: 'us-east-1', retries: 0 };
    return await new AwsClient(admin).fetch(`${before.origin}/s3/${path}`, init);
  };

  beforeAll(async () => {
    before = await testPlatform();
    tools = await pythonClient([UPLOADERS.twine, UPLOADERS.devpi]);
    ann = await login(before.apiUrl, await password('ann'), OWN_PASSWORD);
    await ann.ok(['config', 'switch-project', 'default']);
    annsToken = await token('ann', '30d');
    const platform = await api('ann');
    const ended = await platform.create({ command: 'sh -c "echo before the backup; seq 1 2000"', preset_name: 'tiny' });
    jobs.ended = ended.id;
    await platform.ended(ended.id);
    const running = await platform.create({ command: 'sleep 3600', preset_name: 'tiny' });
    jobs.running = running.id;
    await platform.running(running.id);
    expect((await object('models', { method: 'PUT' })).status).toBe(200);
    const weights = { method: 'PUT', body: 'weights', headers: { 'content-type': 'x-test/weights' } };
    expect((await object('models/one', weights)).status).toBe(200);
    const { path } = await makeWheel(join(tools, 'bin/python3'), folder, 'greeting', '1.0');
    await expectOk(
      execute([join(tools, 'bin/twine'), 'upload', '--non-interactive', path].concat(['-u', 'ann']), {
        env: {
          PATH: '/usr/bin:/bin',
          HOME: folder,
          TWINE_REPOSITORY_URL: `${before.origin}/${INDEX}`,
          TWINE_PASSWORD: annsToken,
        },
      }),
    );
    const notes = join(ann.home, 'notes');
    writeFileSync(notes, 'of before the backup\n');
    await ann.ok(['mkdir', '-p', 'storage:results/näh er']);
    await ann.ok(['cp', notes, 'storage:results/näh er/notes']);
    const job = await platform.create({
      command: 'sh -c "echo of a job >/mnt/made; ln -s made /mnt/link"',
      volumes: [{ src_storage_uri: 'storage://default/default/default/results', dst_path: '/mnt', read_only: false }],
    });
    expect((await platform.ended(job.id)).status).toBe('succeeded');
    images = await crane(new URL(before.origin).host, { user: 'token', password: annsToken });
    await images.push(image(), 'of before the backup\n');
    const text = readFileSync(TEST_CONFIG, 'utf8');
    writeFileSync(config, text.replace('httpPort: 0', `httpPort: ${new URL(before.origin).port}`));
    const { recipient } = await delosJson(z.object({ recipient: z.string() }), ['backup', '--new-key', key]);
    await expectOk(delos(['backup', '--to', recipient, '--out', file, '--config', TEST_CONFIG]));
    await expectOk(delos(['down', '--delete-data']));
  });
  afterAll(async () => {
    await ann.close();
    await images?.stop();
    rmSync(folder, { recursive: true });
  });

  test('is not started on volumes that are half written: the same restore goes on, an `up` is refused', async () => {
    const root = join(import.meta.dirname, '../../../..');
    const killed = start([join(root, 'delos'), 'restore', file, '--key', key, '--config', config], {
      env: { ...process.env, DELOS_INSTANCE: TEST_INSTANCE },
      timeout: 900,
    });
    await until('volumes are written', 600, async () => /^ *[\d.]+s {2}volumes$/m.test(killed.stderr()) || undefined);
    killed.child.kill('SIGKILL');
    await killed.end;
    const refused = await delos(['up']);
    expect([refused.code, refused.stderr]).toEqual([8, expect.stringContaining('a restore of')]);
    await expectOk(delos(['restore', file, '--key', key, '--config', config], { timeout: 900 }));
  });

  test('lets its users log in with the passwords that they had chosen', async () => {
    const client = await login(before.apiUrl, OWN_PASSWORD);
    expect(await client.ok(['config', 'show'])).toMatch(/User name:?\s+ann/i);
    await client.close();
  });

  test('knows tokens that were issued before', async () => {
    const response = await fetch(`${before.apiUrl}/jobs/${jobs.ended}`, {
      headers: { authorization: `Bearer ${annsToken}` },
    });
    expect(response.status).toBe(200);
  });

  test('has the log of a job that had ended, and the end of one that ran', async () => {
    const client = await loggedIn('ann');
    const log = await client.ok(['logs', jobs.ended]);
    expect(log).toContain('before the backup');
    expect(log).toContain('\n2000');
    await until('the platform says that the job is gone', 120, async (last) => {
      const status = await client.ok(['status', jobs.running]);
      last(status);
      return /Status\s+(failed|cancelled)/.test(status) || undefined;
    });
    await client.close();
  });

  test('has the packages that were uploaded', async () => {
    const index = new URL(`/${INDEX}+simple/`, before.origin);
    Object.assign(index, { username: 'ann', password: annsToken });
    await expectOk(
      execute(
        [join(tools, 'bin/pip'), 'install', '--quiet', '--isolated', '--no-deps', '--no-cache-dir', 'greeting'].concat([
          ...['--index-url', index.href, '--target', join(folder, 'ann')],
        ]),
        { env: { PATH: '/usr/bin:/bin', HOME: folder } },
      ),
    );
    expect(readFileSync(join(folder, 'ann/greeting.py'), 'utf8')).toBe("VALUE = '1.0'\n");
  });

  test('has the objects that were written, with their types', async () => {
    const answer = await object('models/one');
    expect([await answer.text(), answer.headers.get('content-type')]).toEqual(['weights', 'x-test/weights']);
  });

  test('has the files that a client and a job have written, and both write on', async () => {
    const client = await loggedIn('ann');
    const back = join(client.home, 'back');
    await client.ok(['cp', '-r', 'storage:results', back]);
    expect(readFileSync(join(back, 'näh er/notes'), 'utf8')).toBe('of before the backup\n');
    expect(readFileSync(join(back, 'made'), 'utf8')).toBe('of a job\n');
    await client.ok(['cp', join(back, 'made'), 'storage:results/again']);
    const platform = await api('ann');
    const job = await platform.create({
      command: 'sh -c "cat /mnt/link /mnt/again; echo more >>/mnt/made"',
      volumes: [{ src_storage_uri: 'storage://default/default/default/results', dst_path: '/mnt', read_only: false }],
    });
    expect((await platform.ended(job.id)).status).toBe('succeeded');
    expect((await platform.log(job.id)).toString()).toBe('of a job\nof a job\n');
    await client.close();
  });

  test('has the image that was pushed', async () => {
    expect(await images.content(image())).toMatchObject({ code: 0, stdout: 'of before the backup\n' });
  });
});
