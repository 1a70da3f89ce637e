import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CommandResult, execute } from '../../peers/src/command.ts';
import { delos, TEST_CONFIG } from '../support/instance.ts';

/** An instance that must never come to be. */
const INSTANCE = 'delos-bad';

describe('bad input: one clear message, what to do, and nothing deployed', () => {
  let folder: string;
  let states: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'delos-bad-'));
    states = join(folder, 'state');
    await mkdir(states);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const config = async (name: string, text: string): Promise<string> => {
    const file = join(folder, name);
    await writeFile(file, text);
    return file;
  };
  const run = (args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CommandResult> =>
    delos(args, { cwd: folder, env: { DELOS_INSTANCE: INSTANCE, XDG_STATE_HOME: states, ...env } });

  /** The message alone: progress and warnings before it are not part of it. */
  const messageOf = (stderr: string): string => stderr.slice(Math.max(0, stderr.lastIndexOf('error: ')));
  const expectMessage = ({ code, stdout, stderr }: CommandResult, exit: number, ...parts: RegExp[]): void => {
    expect(code, stderr).toBe(exit);
    expect(stdout).toBe('');
    const message = messageOf(stderr);
    expect(message.trim().split('\n').length, message).toBeLessThanOrEqual(5);
    for (const part of parts) expect(message).toMatch(part);
    expect(message).toMatch(/ERR_[A-Z_]+: docs\/errors\/ERR_/);
  };
  const expectNothing = async (): Promise<void> => {
    const left = await readdir(join(states, 'delos', INSTANCE), { recursive: true }).catch(() => []);
    expect(left.filter((name) => /etcd|pki|kubeconfig|pulumi|spec\.json/.test(name))).toEqual([]);
    const processes = (await execute(['ps', '-eo', 'args', '-ww'])).stdout;
    expect(processes.split('\n').filter((line) => line.includes(states))).toEqual([]);
  };

  test.each([
    ['a key that does not exist', 'gatway:\n  httpPort: 1\n', /bad\.yaml:1:1/, /gatway.*gateway/s],
    ['a key that does not exist, deep inside', 'gateway:\n  httpPrt: 1\n', /bad\.yaml:2:3/, /httpPrt.*httpPort/s],
    ['a value of another kind', 'gateway:\n  httpPort: many\n', /bad\.yaml:2:13/, /httpPort/],
    ['a port that is none', 'gateway:\n  httpPort: 70000\n', /bad\.yaml:2:13/, /65535/],
    ['broken YAML', 'gateway:\n  httpPort: [1\n', /bad\.yaml:\d+:\d+/, /YAML|flow|bracket|\]/i],
    ['YAML that is no mapping', '- a\n- b\n', /bad\.yaml:1:1/, /mapping|object|keys and values/i],
    ['a key given twice', 'domain: a\ndomain: b\n', /bad\.yaml:2:1/, /already there/i],
    [
      'a preset in a pool that is not there',
      'presets:\n  - {name: a, cpu: 1, memory: 1Gi, pools: [moon]}\n',
      /bad\.yaml:2:/,
      /moon/,
    ],
  ])('%s', async (_, text, place, words) => {
    const file = await config('bad.yaml', text);
    for (const verb of ['up', 'preflight', 'synth']) {
      const exit = 3;
      expectMessage(await run([verb, '--config', file]), exit, place, words);
    }
    await expectNothing();
  });

  test('a configuration file that is not there', async () => {
    expectMessage(await run(['up', '--config', join(folder, 'none.yaml')]), 3, /none\.yaml/, /delos init|--config/);
    await expectNothing();
  });

  test('errors are one JSON document with --json', async () => {
    const file = await config('bad.yaml', 'gatway: {}\n');
    const { code, stdout } = await run(['up', '--json', '--config', file]);
    expect(code).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'ERR_CONFIG_KEY', where: { line: 1, column: 1 } } });
  });

  test('a command that does not exist', async () => {
    const { code, stderr, stdout } = await run(['upp']);
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/upp/);
    expect(stderr).toMatch(/Did you mean up/);
    expect(stderr.trim().split('\n').length).toBeLessThanOrEqual(5);
  });

  test('an unreachable cluster', async () => {
    const kubeconfig = await config('kubeconfig', kubeconfigFor('https://127.0.0.1:1'));
    const file = await config('existing.yaml', 'cluster: { engine: existing }\n');
    expectMessage(
      await run(['up', '--config', file], { KUBECONFIG: kubeconfig }),
      4,
      /127\.0\.0\.1:1/,
      /KUBECONFIG|cluster/,
    );
    await expectNothing();
  });

  test('a remote cluster that nobody named', async () => {
    const kubeconfig = await config('kubeconfig', kubeconfigFor('https://k8s.example.com:6443'));
    const result = await run(['up', '--config', await config('auto.yaml', 'domain: localhost\n')], {
      KUBECONFIG: kubeconfig,
    });
    expectMessage(result, 4, /k8s\.example\.com/, /--context|--yes/);
    await expectNothing();
  });

  test('ports that are taken', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const file = await config(
      'taken.yaml',
      `cluster: { engine: embedded }\ngateway: { httpPort: ${port}, httpsPort: 0 }\n`,
    );
    try {
      expectMessage(await run(['up', '--config', file]), 4, new RegExp(String(port)), /httpPort|port/);
      await expectNothing();
    } finally {
      server.close();
    }
  });

  test('no disk space', async () => {
    const small = join(folder, 'small');
    await mkdir(small);
    // A file system of a few MiB of its own, for this test's processes alone.
    const script = `mount -t tmpfs -o size=4m tmpfs ${small} && exec "$@"`;
    const result = await execute(
      [
        'unshare',
        '--mount',
        '--propagation',
        'private',
        'sh',
        '-c',
        script,
        'sh',
        './delos',
        'up',
        '--config',
        TEST_CONFIG,
      ],
      {
        cwd: join(import.meta.dirname, '../..'),
        env: { ...process.env, KUBECONFIG: undefined, DELOS_INSTANCE: INSTANCE, XDG_STATE_HOME: small },
      },
    );
    expectMessage(result, 4, /disk|space/i, /free|room/i);
    await expectNothing();
  });

  test('no root: the embedded engine says so', async () => {
    const root = join(import.meta.dirname, '../..');
    // A user namespace without a mapping: nobody's user id, and yet the checkout can be read wherever it lies.
    const argv = ['unshare', '--user', '--', process.execPath, join(root, 'cli/src/main.ts'), 'up'];
    const result = await execute(argv, {
      cwd: folder,
      env: { HOME: folder, PATH: process.env.PATH, DELOS_INSTANCE: INSTANCE, XDG_STATE_HOME: states },
    });
    expectMessage(result, 4, /root/, /sudo|KUBECONFIG/);
    await expectNothing();
  });
});

function kubeconfigFor(server: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'some',
    contexts: [{ name: 'some', context: { cluster: 'some', user: 'some' } }],
    clusters: [{ name: 'some', cluster: { server } }],
    users: [{ name: 'some', user: { token: 'none' } }],
  });
}
