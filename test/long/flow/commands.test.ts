import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type BakingPlatform, startBakingPlatform } from '../../support/bakes/baking-platform.ts';

/*
 * `delos flow bake` and what goes with it, as a person types it, against the control API on a real PostgreSQL. Jobs are
 * processes of this machine.
 */

const MAIN = join(import.meta.dirname, '../../../cli/src/main.ts');
const IMAGE = 'ghcr.io/neuro-inc/base:latest';
let platform: BakingPlatform;
let home: string;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'delos-flow-bake-'));
  platform = await startBakingPlatform();
  await writeFile(join(home, 'alice'), await platform.served.issuer.token('alice'));
  await writeFile(join(home, 'bob'), await platform.served.issuer.token('bob'));
});
afterAll(async () => {
  await platform?.stop();
  if (home !== undefined) await rm(home, { recursive: true, force: true });
});

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}
function delos(args: readonly string[], user = 'alice', cwd = home): Promise<Run> {
  const asked = ['--url', platform.served.api.url, '--token-file', join(home, user)];
  return new Promise((resolve) => {
    const env = { PATH: process.env.PATH, HOME: home };
    const command = ['--disable-warning=ExperimentalWarning', MAIN, 'flow', ...args, ...asked];
    execFile(process.execPath, command, { env, cwd, timeout: 120_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}
const json = async (args: readonly string[], code = 0, user?: string) => {
  const run = await delos([...args, '--json'], user);
  expect(run.code, run.stdout + run.stderr).toBe(code);
  return JSON.parse(run.stdout);
};
async function flow(name: string, files: Readonly<Record<string, string>>): Promise<string> {
  for (const [file, text] of Object.entries(files)) {
    await mkdir(dirname(join(home, name, file)), { recursive: true });
    await writeFile(join(home, name, file), text);
  }
  return join(home, name);
}
const statuses = (report: { tasks: { id: string; status: string }[] }): Record<string, string> =>
  Object.fromEntries(report.tasks.map(({ id, status }) => [id, status]));

const PIPELINE = `kind: batch
defaults: { preset: cpu-small }
params: { word: none }
tasks:
  - id: first
    image: ${IMAGE}
    bash: echo "::set-output name=said::\${{ params.word }}"; echo shown
  - id: call
    action: ws:inner
    args: { given: "\${{ needs.first.outputs.said }}" }
  - id: last
    image: ${IMAGE}
    env: { SAID: "\${{ needs.call.outputs.all }}" }
    bash: echo "::set-output name=said::$SAID again"
`;
const FILES = {
  '.apolo/project.yml': 'id: mine\nproject_name: one\n',
  '.apolo/train.yml': PIPELINE,
  'inner.yml': `kind: batch
inputs: { given: {} }
outputs: { all: { value: "\${{ needs.a.outputs.out }}" } }
tasks:
  - { id: a, needs: [], image: ${IMAGE}, bash: "echo '::set-output name=out::\${{ inputs.given }} a'" }
`,
};

describe('a folder with a batch flow', () => {
  test('has it baked by its name for whoever stands there; of another name it is told which there are', async () => {
    const folder = await flow('named', FILES);
    const run = await delos(['bake', 'train', '--param', 'word=named'], 'alice', folder);
    expect(run.code, run.stdout + run.stderr).toBe(0);
    const wrong = await delos(['bake', 'trian'], 'alice', folder);
    expect(wrong).toMatchObject({ code: 7, stderr: expect.stringContaining('here are: train') });
  });

  test('is baked, followed to its end, inspected, drawn, and the second bake is cached with where it comes from', async () => {
    const folder = await flow('pipeline', FILES);
    const run = await delos(['bake', folder, '--param', 'word=there', '--name', 'nightly', '--tag', 'mine']);
    expect(run.code, run.stdout + run.stderr).toBe(0);
    expect(run.stderr).toMatch(/first \(job-[^)]*\) succeeded[\s\S]*call\.a[\s\S]*last \(job-[^)]*\) succeeded after/);
    const first = await json(['inspect', 'nightly', '--svg', join(home, 'bake.svg')]);
    expect(first).toMatchObject({ name: 'nightly', batch: 'train', flow: 'mine', result: 'succeeded', tags: ['mine'] });
    expect(statuses(first)).toEqual({
      first: 'succeeded',
      call: 'succeeded',
      'call.a': 'succeeded',
      last: 'succeeded',
    });
    expect(first.critical_path).toEqual(['first', 'call.a', 'last']);
    const svg = await readFile(join(home, 'bake.svg'), 'utf8');
    for (const id of Object.keys(statuses(first))) expect(svg).toContain(`<title>${id}: succeeded`);

    const again = await json(['bake', folder, '--param', 'word=there']);
    expect(statuses(again)).toMatchObject({ first: 'cached', 'call.a': 'cached', last: 'cached' });
    const cached = again.tasks.find((task: { id: string }) => task.id === 'last').lineage;
    const lineage = { bake: first.id, attempt: 1, writes: [] };
    expect(cached).toMatchObject({ ...lineage, needs: [{ task: 'call', job: null }] });

    const { bakes } = await json(['bakes', '--flow', 'mine']);
    expect(bakes.map((bake: { id: string }) => bake.id)).toEqual([again.id, first.id]);
    expect((await delos(['logs', first.id, 'first'])).stdout).toMatch(/^::set-output name=said::there\nshown\n$/);
    expect((await delos(['logs', first.id])).stdout).toMatch(/Attempt #1 succeeded/);
    expect((await delos(['clear-cache', 'mine', 'train', 'last'])).stdout).toContain('forgot what was kept of last');

    await flow('pipeline', { '.apolo/train.yml': PIPELINE.replace('echo shown', 'echo seen') });
    const changed = await json(['bake', folder, '--param', 'word=here']);
    const told = await json(['diff', first.id, changed.id]);
    expect(told.params).toEqual({ word: { before: 'there', after: 'here' } });
    expect(told.files.map((file: { name: string }) => file.name)).toEqual(['.apolo/train.yml']);
    expect(told.tasks.find((task: { id: string }) => task.id === 'first').key).not.toBeNull();
    expect((await delos(['diff', first.id, first.id])).stdout).toBe('nothing changed\n');
  });

  test('that has errors is refused here, with each place; one of another project is not seen', async () => {
    const folder = await flow('broken', { '.apolo/bad.yml': 'kind: batch\ntasks: [{ imagee: u, cmd: ls }]\n' });
    const { code, stderr } = await delos(['bake', folder]);
    expect([code, stderr]).toEqual([1, expect.stringContaining('imagee')]);
    const sent = { flow: 'mine', batch: 'bad', workspace: '/w', org_name: 'acme', project_name: 'one' };
    const flow_file = { filename: '/w/bad.yml', content: 'kind: batch\ntasks: [{ imagee: u, cmd: ls }]\n' };
    const refused = await platform.served.api.request('alice', 'POST', '/flow/bakes/submit', { ...sent, flow_file });
    expect([refused.status, refused.json.error]).toEqual([400, expect.stringContaining('/w/bad.yml:2:')]);
    const theirs = await platform.served.api.request('bob', 'POST', '/flow/bakes/submit', { ...sent, flow_file });
    expect(theirs.status).toBe(403);
    expect((await json(['bakes'], 0, 'bob')).bakes).toEqual([]);
    expect((await delos(['inspect', 'nightly'], 'bob')).code).toBe(7);
    const { bakes } = await json(['bakes']);
    for (const what of ['report', 'picture', `diff?with=${bakes[0].id}`]) {
      expect((await platform.served.api.request('bob', 'GET', `/flow/bakes/${bakes[0].id}/${what}`)).status).toBe(404);
    }
    for (const what of ['cancel', 'restart']) {
      expect((await platform.served.api.request('bob', 'POST', `/flow/bakes/${bakes[0].id}/${what}`, {})).status).toBe(
        404,
      );
      const reader = await platform.served.api.request('rita', 'POST', `/flow/bakes/${bakes[0].id}/${what}`, {});
      expect(reader.status).toBe(403);
    }
  });

  test('is restarted from what failed, from one task, and whole; what stays is not run again', async () => {
    const fails = (last: string): Record<string, string> => ({
      '.apolo/project.yml': 'id: again\nproject_name: one\n',
      '.apolo/steps.yml': `kind: batch
defaults: { preset: cpu-small, cache: { strategy: none } }
tasks:
  - { id: a, image: "${IMAGE}", bash: "echo '::set-output name=n::1'" }
  - { id: b, image: "${IMAGE}", bash: "echo b" }
  - { id: c, image: "${IMAGE}", bash: "${last}" }
`,
    });
    const folder = await flow('again', fails('exit 3'));
    const first = await json(['bake', folder], 1);
    expect(statuses(first)).toEqual({ a: 'succeeded', b: 'succeeded', c: 'failed' });
    expect(first.tasks[2]).toMatchObject({ exit_code: 3, critical: true });
    const started = platform.agent.started.length;
    const failed = await json(['restart', first.id], 1);
    expect([failed.number, platform.agent.started.length - started]).toEqual([2, 1]);
    expect(failed.tasks[0].job).toBe(first.tasks[0].job);
    await json(['restart', first.id, '--from-task', 'b'], 1);
    expect(platform.agent.started.length - started).toBe(3);
    const all = await json(['restart', first.id, '--all'], 1);
    expect([all.number, platform.agent.started.length - started]).toEqual([4, 6]);
    expect(all.tasks[0].job).not.toBe(first.tasks[0].job);
    expect((await json(['restart', first.id, '--from-task', 'none'], 7)).error.code).toBe('ERR_NOT_FOUND');
    expect((await json(['inspect', first.id, '--attempt', '2'])).number).toBe(2);
  });

  test('is cancelled; nothing of it is restarted before it has ended; a second one may not have its name', async () => {
    const folder = await flow('slow', {
      '.apolo/project.yml': 'id: slow\nproject_name: one\n',
      '.apolo/slow.yml': `kind: batch\ntasks: [{ id: a, image: "${IMAGE}", preset: cpu-small, bash: sleep 60 }]\n`,
    });
    const made = await json(['bake', folder, '--detach', '--name', 'once']);
    expect((await json(['restart', 'once'], 8)).error.code).toBe('ERR_CONFLICT');
    expect((await json(['bake', folder, '--name', 'once'], 8)).error.code).toBe('ERR_CONFLICT');
    expect((await delos(['cancel', 'once'])).stdout).toBe(`${made.id} is cancelled\n`);
    const ended = await json(['inspect', made.id, '--follow'], 130);
    expect(statuses(ended)).toEqual({ a: 'cancelled' });
    expect((await delos(['cancel', made.id])).code).toBe(0);
  });

  test('with a local action is the official client’s to bake', async () => {
    const folder = await flow('local', {
      '.apolo/local.yml': 'kind: batch\ntasks: [{ id: here, action: "ws:act" }]\n',
      'act.yml': 'kind: local\nbash: echo\n',
    });
    expect((await json(['bake', folder], 2)).error.message).toContain('local action');
  });
});
