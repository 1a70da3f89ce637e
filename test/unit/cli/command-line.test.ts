import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const MAIN = join(import.meta.dirname, '../../../cli/src/main.ts');
let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'delos-cli-'));
});
afterAll(() => rm(home, { recursive: true, force: true }));

/** The command as the launcher starts it. */
function delos(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const env = { PATH: process.env.PATH, HOME: home, NODE_COMPILE_CACHE: join(home, 'compile-cache') };
    const argv = ['--disable-warning=ExperimentalWarning', MAIN, ...args];
    execFile(process.execPath, argv, { env, cwd: home }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

describe('the command line', () => {
  test('names every verb that scripts lean on', async () => {
    const { stdout, code } = await delos('--help');
    expect(code).toBe(0);
    const verbs =
      'up down status logs preflight preview synth cluster kubectl env token flow simulate test bench init completion';
    for (const verb of verbs.split(' ')) expect(stdout).toMatch(new RegExp(`^  ${verb}\\b`, 'm'));
    const cluster = (await delos('cluster', '--help')).stdout;
    for (const verb of ['up', 'down', 'status', 'kubeconfig'])
      expect(cluster).toMatch(new RegExp(`^  ${verb}\\b`, 'm'));
  });

  test.each([
    [['upp'], 2, /Did you mean up/],
    [['up', '--confg', 'x'], 2, /--config/],
    [['logs'], 2, /part/],
    [['logs', 'x', '--tail', 'many'], 2, /whole number/],
    [['bench', 'nothing'], 7, /job-latency/],
    [['simulate'], 2, /--nodes/],
    [['--instance', 'No Name', 'status'], 2, /instance name/],
    [['completion', 'tcsh'], 2, /bash/],
    [['token', '--user', 'x', '--ttl', '0s'], 2, /--ttl: /],
    [['token', '--user', 'x'.repeat(201)], 2, /--user: /],
    [['bench', 'scheduler', '--samples', '0'], 2, /whole number from 1/],
    [['join'], 2, /--token-file is missing/],
    [['join', '--token-file', '/no/such/file'], 2, /--token-file: \/no\/such\/file cannot be read: ENOENT/],
    [['synth', '--profile', 'medum'], 2, /did you mean medium/],
    [['synth', '--profile', 'ha'], 3, /services.devpi.enabled: false/],
    [['synth', '--engine', 'embeded'], 2, /did you mean embedded/],
    [['bundle', 'verify', 'x'], 2, /--trust FILE is missing/],
    [['bundle', 'create', '--parts', 'image'], 2, /a bundle has no part "image"/],
  ])('%j is refused with exit code %i', async (args, exit, words) => {
    const { code, stdout, stderr } = await delos(...args);
    expect(code, stderr).toBe(exit);
    expect(stdout).toBe('');
    expect(stderr).toMatch(words);
    expect(stderr.trim().split('\n').length).toBeLessThanOrEqual(5);
  });

  test.each([
    [['token', '--user', ''], '--user <name>'],
    [['token', '--revoke', ''], '--revoke <id>'],
    [['token', '--user', 'x', '--ttl', ''], '--ttl <duration>'],
    [['--instance', '', 'status'], '--instance <name>'],
    [['status', '--instance', ''], '--instance <name>'],
    [['up', '--config', ''], '--config <file>'],
    [['down', '--context', ''], '--context <name>'],
    [['synth', '--out', ''], '--out <folder>'],
    [['simulate', '--workload', ''], '--workload <file...>'],
    [['flow', 'validate', 'x.yml', '--param', ''], '--param <name=value>'],
    [['test', '--only', ''], '--only <suite>'],
    [['logs', ''], '<part>'],
    [['init', ''], '<file>'],
    [['flow', 'validate', ''], '<files>'],
  ])('an empty value is refused by its name: %j', async (args, name) => {
    const { code, stdout, stderr } = await delos(...args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr.split('\n')[0]).toBe(`error: ${name}: the value is empty`);
  });

  test('an error is one JSON document with --json, wherever the option stands', async () => {
    for (const args of [
      ['--json', 'bench', 'nothing'],
      ['bench', 'nothing', '--json'],
    ]) {
      const { stdout, code } = await delos(...args);
      expect(code).toBe(7);
      expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'ERR_NOT_FOUND' } });
    }
  });

  test('a result is one JSON document with --json, wherever the option stands', async () => {
    for (const args of [
      ['--json', 'init', 'one.yaml'],
      ['init', '--json', 'two.yaml'],
      ['init', 'three.yaml', '--json'],
    ]) {
      const { stdout, code, stderr } = await delos(...args);
      expect(code, stderr).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({ file: expect.stringMatching(/\.yaml$/) });
    }
  });

  test('usage errors are one JSON document with --json too', async () => {
    const { stdout, code } = await delos('upp', '--json');
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'ERR_USAGE' } });
  });

  test.each(['bash', 'zsh', 'fish', 'powershell'])(
    'completion for %s is a script that asks the command',
    async (shell) => {
      const { stdout, code } = await delos('completion', shell);
      expect(code).toBe(0);
      expect(stdout).toMatch(/\bcomplete\b.*--/);
    },
  );

  test('suggests verbs, verbs beneath them, and options', async () => {
    expect((await delos('complete', '--', 'clu')).stdout).toMatch(/^cluster\t/m);
    expect((await delos('complete', '--', 'cluster', '')).stdout).toMatch(/^kubeconfig\t/m);
    expect((await delos('complete', '--', 'up', '--')).stdout).toMatch(/^--config\t/m);
  });
});
