import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UPLOADERS } from '@delos/artifacts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CommandResult, execute } from '../../peers/src/command.ts';
import { pythonClient } from '../../peers/src/python-client.ts';
import { testPlatform, token } from '../support/instance.ts';
import { type Api, api } from '../support/service/api.ts';
import { makeWheel } from '../support/service/wheel.ts';

/** Where a job reaches a platform whose public name is one of loopback, which is the job's own. */
const FROM_JOBS = 'http://gateway.delos.svc.cluster.local:8080';
const INDEX = 'pypi/default/default/';

describe('packages of a project', () => {
  let origin: string;
  let ann: Api;
  let work: string;
  let tools: string;
  beforeAll(async () => {
    ({ origin } = await testPlatform());
    ann = await api('ann');
    tools = await pythonClient([UPLOADERS.twine, UPLOADERS.devpi]);
    work = await mkdtemp(join(tmpdir(), 'delos-packages-'));
  });
  afterAll(() => rm(work, { recursive: true, force: true }));

  const indexOf = (at: string, user: string, secret: string): string => {
    const url = new URL(`/${INDEX}+simple/`, at);
    Object.assign(url, { username: user, password: secret });
    return url.href;
  };
  const run = (tool: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
    execute([join(tools, 'bin', tool), ...args], { env: { PATH: '/usr/bin:/bin', HOME: work, ...env } });
  const install = async (user: string): Promise<CommandResult> =>
    run(
      'pip',
      ['install', '--quiet', '--isolated', '--no-deps', '--no-cache-dir', 'greeting'].concat([
        ...['--index-url', indexOf(origin, user, await token(user)), '--target', join(work, user)],
      ]),
    );

  test('a member uploads by twine and installs by pip from the machine, and a stranger does neither', async () => {
    const { path } = await makeWheel(join(tools, 'bin/python3'), work, 'greeting', '1.0');
    const upload = async (user: string): Promise<CommandResult> =>
      run('twine', ['upload', '--non-interactive', '--repository-url', `${origin}/${INDEX}`, '-u', user, path], {
        TWINE_PASSWORD: await token(user),
      });
    expect(await upload('bob')).toMatchObject({ code: 1, stdout: expect.stringContaining('404') });
    expect(await upload('ann')).toMatchObject({ code: 0 });
    expect(await install('ann')).toMatchObject({ code: 0 });
    expect(await readFile(join(work, 'ann/greeting.py'), 'utf8')).toBe("VALUE = '1.0'\n");
    expect(await install('bob')).toMatchObject({ code: 1 });
  });

  test('DevPI’s own client logs in with a token', async () => {
    const client = (...args: readonly string[]) => run('devpi', args, { DEVPI_CLIENTDIR: join(work, 'devpi') });
    expect(await client('use', `${origin}/pypi`)).toMatchObject({ code: 0 });
    expect(await client('login', 'ann', '--password', await token('ann'))).toMatchObject({ code: 0 });
    expect(await client('use', 'default/default')).toMatchObject({ code: 0 });
    expect((await client('list')).stdout).toContain('greeting');
  });

  test('a job installs them by pip', async () => {
    const job = await ann.create({
      name: 'installs-a-package',
      preset_name: 'small',
      image: 'python:3.11-slim',
      command: `sh -c 'pip install --quiet --no-deps --root-user-action ignore greeting && python -c "import greeting; print(greeting.VALUE)"'`,
      env: {
        PIP_INDEX_URL: indexOf(FROM_JOBS, 'ann', await token('ann')),
        PIP_TRUSTED_HOST: new URL(FROM_JOBS).host,
        PIP_DISABLE_PIP_VERSION_CHECK: '1',
      },
    });
    const ended = await ann.ended(job.id);
    expect([ended.status, (await ann.log(job.id)).toString()]).toEqual(['succeeded', '1.0\n']);
  });
});
