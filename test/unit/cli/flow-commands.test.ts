import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const MAIN = join(import.meta.dirname, '../../../cli/src/main.ts');
let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'delos-flow-cli-'));
  await mkdir(join(home, '.apolo'));
});
afterAll(() => rm(home, { recursive: true, force: true }));

function delos(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const env = { PATH: process.env.PATH, HOME: home };
    execFile(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', MAIN, ...args],
      { env, cwd: home },
      (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
      },
    );
  });
}
async function file(name: string, text: string | Uint8Array): Promise<string> {
  await writeFile(join(home, name), text);
  return name;
}

// Each starts the command several times, beside whatever else the machine does.
describe('flow commands', { timeout: 300_000 }, () => {
  test('validate: exit code 0 and no error, or 1 and each error with its place', async () => {
    const good = await file('.apolo/good.yml', 'kind: batch\ntasks: [{image: u, cmd: ls}]\n');
    const bad = await file('.apolo/bad.yml', 'kind: batch\ntasks:\n  - imagee: u\n');
    expect((await delos('flow', 'validate', good)).code).toBe(0);
    const { code, stdout } = await delos('flow', 'validate', bad, '--json');
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      ok: false,
      diagnostics: expect.arrayContaining([
        expect.objectContaining({
          file: bad,
          line: 3,
          column: 5,
          severity: 'error',
          code: 'FLOW_KEY',
          message: expect.stringContaining('imagee'),
        }),
      ]),
    });
    const text = await delos('flow', 'validate', '.apolo');
    expect(text.code).toBe(1);
    expect(text.stdout).toContain('^^^^^^');
    expect(text.stdout).toMatch(/2 files: \d+ errors?/);
  });

  test('validate: an action beside the flows is known by its keys', async () => {
    await mkdir(join(home, 'mixed/.apolo'), { recursive: true });
    await file(
      'mixed/.apolo/greet.yml',
      'kind: batch\nname: greet\ninputs: {who: {default: world}}\noutputs: {said: {value: "${{ needs.say.outputs.said }}"}}\ntasks: [{id: say, image: u, cmd: "${{ inputs.who }}"}]\n',
    );
    await file('mixed/.apolo/main.yml', 'kind: batch\ntasks: [{id: g, action: "ws:.apolo/greet", args: {who: you}}]\n');
    const { code, stdout } = await delos('flow', 'validate', 'mixed/.apolo', '--json');
    expect(JSON.parse(stdout)).toEqual({ ok: true, diagnostics: [] });
    expect(code).toBe(0);
    // The live flow has its name, so that a key of an action is a mistake there.
    await file('mixed/.apolo/live.yml', 'kind: live\nname: x\njobs: {}\n');
    expect((await delos('flow', 'validate', 'mixed/.apolo')).stdout).toContain('unknown key `name`');
  });

  test('validate: an action of a repository that is not at hand is a warning; with --strict it is the end', async () => {
    const name = await file(
      'repository.yml',
      'kind: batch\ntasks:\n  - {id: a, image: u}\n  - {id: b, action: "gh:o/r@v1", args: {x: "${{ needs.a.outputs.x }}"}}\n  - {id: c, image: u, cmd: "${{ needs.b.outputs.y }}"}\n',
    );
    const { code, stdout } = await delos('flow', 'validate', name, '--json');
    expect(JSON.parse(stdout)).toMatchObject({
      ok: true,
      diagnostics: [
        {
          line: 4,
          severity: 'warning',
          code: 'FLOW_ACTION_UNRESOLVED',
          hint: expect.stringContaining('o/r@v1/action.yml'),
        },
      ],
    });
    expect(code).toBe(0);
    const strict = await delos('flow', 'validate', name, '--strict', '--json');
    expect([strict.code, JSON.parse(strict.stdout).ok]).toEqual([1, false]);
    // Its tasks cannot be given.
    const expanded = await delos('flow', 'expand', name);
    expect(expanded.code).toBe(1);
    expect(expanded.stderr).toContain('FLOW_ACTION_UNRESOLVED');
    await mkdir(join(home, 'actions/o/r@v1'), { recursive: true });
    await file('actions/o/r@v1/action.yml', 'kind: batch\ninputs: {x: {}}\noutputs: {y: {value: "1"}}\ntasks: []\n');
    expect((await delos('flow', 'validate', name, '--strict', '--actions', 'actions')).code).toBe(0);
  });

  test('validate: a file that is not UTF-8 is refused by name', async () => {
    const name = await file('latin.yml', Uint8Array.of(0x6b, 0xe9, 0x0a));
    const { code, stdout } = await delos('flow', 'validate', name, '--json');
    expect(code).toBe(1);
    expect(JSON.parse(stdout).diagnostics).toMatchObject([{ file: name, code: 'FLOW_TEXT' }]);
  });

  test('expand: tasks with what is known and what is waited for, from parameters and files', async () => {
    const name = await file(
      '.apolo/train.yml',
      'kind: batch\nparams: {lr: ~}\ntasks:\n  - {id: a, image: u, cmd: "${{ params.lr }} ${{ hash_files(\'none\') }}"}\n  - {id: b, image: u, cmd: "${{ needs.a.outputs.x }}"}\n',
    );
    expect((await delos('flow', 'expand', name)).code).toBe(1);
    const { stdout } = await delos('flow', 'expand', name, '--param', 'lr=0.5', '--json');
    const empty = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
    expect(JSON.parse(stdout)).toMatchObject({
      tasks: [
        { id: 'a', needs: {}, cmd: `0.5 ${empty}`, enable: true, cache_key: expect.stringMatching(/^[0-9a-f]{64}$/) },
        {
          id: 'b',
          needs: { a: 'completed' },
          cmd: { $expr: '${{ needs.a.outputs.x }}', waits: ['needs'] },
          cache_key: null,
        },
      ],
    });
  });

  test('eval: the value of an expression, with contexts of a file', async () => {
    const context = await file('context.json', '{"needs": {"a": {"result": "succeeded", "outputs": {"x": "7"}}}}');
    const { stdout } = await delos(
      'flow',
      'eval',
      "int(needs.a.outputs.x) + 1 if needs.a.result == 'succeeded' else 0",
      '--context',
      context,
      '--json',
    );
    expect(JSON.parse(stdout)).toMatchObject({ value: 8, type: 'int' });
    const bad = await delos('flow', 'eval', '1+1');
    expect(bad.code).toBe(3);
    expect(bad.stderr).toContain('blank');
  });

  test('graph draws, format writes once', async () => {
    const name = await file('.apolo/graph.yml', '# note\ntasks: [{id: a, image: u}, {id: b, image: u}]\nkind: batch\n');
    expect((await delos('flow', 'graph', name, '--format', 'svg')).stdout).toMatch(/^<svg /);
    expect((await delos('flow', 'graph', name)).stdout).toContain('t0 --> t1');
    expect((await delos('flow', 'format', name, '--check')).code).toBe(1);
    expect((await delos('flow', 'format', name)).code).toBe(0);
    expect((await delos('flow', 'format', name, '--check')).code).toBe(0);
    expect(await readFile(join(home, name), 'utf8')).toContain('# note');
  });
});
