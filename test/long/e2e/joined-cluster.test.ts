import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { ApoloClient } from '../../../peers/src/apolo.ts';
import { type CommandResult, expectOk } from '../../../peers/src/command.ts';
import { type SiteLink, startSiteLink } from '../../support/clusters/site-link.ts';
import { delos, delosJson, loggedIn, TEST_INSTANCE, testPlatform } from '../../support/instance.ts';
import { type Api, api, IMAGE, type JobDocument } from '../../support/service/api.ts';
import { until } from '../../support/until.ts';

/*
 * Two clusters on this machine, with nothing between them but one address. The second joins the platform of the first by one
 * token; the official client runs jobs there; the way is cut for a minute; then it leaves.
 */

const HALL = `${TEST_INSTANCE}-hall`;
let link: SiteLink;
let folder: string;
let ann: ApoloClient;
let platform: Api;

/** `./delos` for the second cluster. */
const hall = (...args: readonly string[]): Promise<CommandResult> =>
  delos(args, { env: { DELOS_INSTANCE: HALL }, timeout: 1200 });
const kubectlThere = (...args: readonly string[]): Promise<string> => expectOk(hall('kubectl', ...args));
const clusters = async () =>
  (
    await delosJson(z.object({ clusters: z.array(z.looseObject({ name: z.string(), state: z.string() })) }), [
      'clusters',
      'list',
    ])
  ).clusters;
const job = (request: Readonly<Record<string, unknown>>): Promise<JobDocument> =>
  platform.create({ cluster_name: 'hall', preset_name: 'hall-small', ...request });
const podsOf = async (id: string): Promise<readonly string[]> => {
  const out = await kubectlThere('get', 'pods', '-A', '-o', 'jsonpath={range .items[*]}{.metadata.name}{"\\n"}{end}');
  return out.split('\n').filter((name) => name === id);
};

beforeAll(async () => {
  const { origin } = await testPlatform();
  link = await startSiteLink(origin);
  folder = await mkdtemp(join(tmpdir(), 'delos-hall-'));
  await writeFile(
    join(folder, 'delos.yaml'),
    `cluster: {engine: embedded}
nodePools: [{name: hall, nvidiaGpu: {count: 1, model: fake}, fakeGpus: true}]
presets:
  - {name: hall-small, cpu: 0.05, memory: 64Mi}
  - {name: hall-gpu, cpu: 0.05, memory: 64Mi, nvidiaGpu: {count: 1, model: fake}}
`,
  );
  await hall('down', '--delete-data');
  ann = await loggedIn('ann');
  platform = await api('ann');
});
afterAll(async () => {
  await ann?.close();
  await delos(['clusters', 'remove', 'hall']);
  await hall('down', '--delete-data');
  await link?.stop();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});

test('a second cluster joins by one token, and only what runs jobs is there', async () => {
  const refused = await delos(['clusters', 'token', 'hall']);
  expect(refused.stderr).toContain('leads nowhere from another machine');
  const token = await expectOk(
    delos(['clusters', 'token', 'hall', '--ttl', '1h', '--url', link.url, '--authority', link.authority]),
  );
  await writeFile(join(folder, 'token'), token, { mode: 0o600 });
  const config = join(folder, 'delos.yaml');
  const args = ['join', '--config', config, '--token-file', join(folder, 'token')];
  const { stdout } = { stdout: await expectOk(hall(...args)) };
  expect(stdout).toContain('This cluster is hall of the platform');
  expect(await readFile(config, 'utf8')).toContain('# >>> delos join >>>');
  const pods = await kubectlThere('get', 'pods', '-n', 'delos', '-o', 'name');
  expect(pods.trim().split('\n')).toEqual([expect.stringMatching(/^pod\/agent-/)]);
  expect(await clusters()).toMatchObject([
    { name: 'default', state: 'own' },
    { name: 'hall', state: 'joined', nodes: 1 },
  ]);
  // Again, it changes nothing; and the token is good for nothing else.
  expect(await expectOk(hall('up'))).toContain('none: ');
});

describe('the official client', () => {
  test('sees both clusters, and runs a job on the one that it has switched to', async () => {
    await ann.ok(['config', 'fetch']).catch(() => undefined);
    await ann.ok(['config', 'switch-cluster', 'hall']);
    await ann.ok(['config', 'switch-project', 'default']);
    expect(await ann.ok(['config', 'get-clusters'])).toContain('hall');
    const { stdout, code } = await ann.run(['run', '-s', 'hall-gpu', IMAGE, '--', 'echo', 'hello from the hall']);
    expect(stdout).toContain('hello from the hall');
    expect(code).toBe(0);
  });

  test('reads logs, executes, forwards a port, looks and kills, through the same API', async () => {
    const script = 'i=0; while true; do echo line $i; i=$((i+1)); sleep 1; done';
    const serve = `python3 -m http.server 8000 & ${script}`;
    const out = await ann.ok(['run', '-s', 'hall-small', '-n', 'serves', '--detach', IMAGE, '--', `sh -c '${serve}'`]);
    expect(out).toContain('job-');
    const [, id = ''] = /(job-[0-9a-f-]{36})/.exec(out) ?? [];
    await platform.running(id);
    expect(await podsOf(id)).toEqual([id]);
    expect(await ann.ok(['exec', '-T', 'serves', '--', 'echo inside the hall'])).toContain('inside');
    expect(await ann.ok(['status', 'serves'])).toContain('hall');
    await until('its log is read while it runs', 60, async (last) => {
      const seen = await platform.call('GET', `/jobs/${id}`);
      last(seen.status);
      return seen.ok || undefined;
    });
    await ann.ok(['kill', 'serves']);
    await platform.ended(id);
    expect((await platform.log(id)).toString()).toContain('line 0');
  });
});

test('what runs there goes on while the way is cut for a minute: states are caught up, nothing runs twice, no line is lost', async () => {
  const script = 'i=0; while [ $i -lt 45 ]; do echo line $i; i=$((i+1)); sleep 1; done';
  const ends = await job({ image: IMAGE, command: `sh -c "${script}"` });
  const stays = await job({ image: IMAGE, command: 'sleep 600' });
  await platform.running(ends.id);
  await platform.running(stays.id);
  const uid = await kubectlThere('get', 'pod', '-n', stays.namespace ?? '', stays.id, '-o', 'jsonpath={.metadata.uid}');
  await link.cut();
  const cutAt = Date.now();
  // Asked for while nobody there hears it.
  const late = await job({ image: IMAGE, command: 'echo late' });
  await until('the first job has ended there', 90, async () => {
    const out = await kubectlThere('get', 'pods', '-A', '--field-selector', `metadata.name=${ends.id}`, '--no-headers');
    return /Completed|Succeeded/.test(out) || undefined;
  });
  expect((await platform.job(ends.id)).status).toBe('running');
  await sleep(Math.max(0, 60_000 - (Date.now() - cutAt)));
  expect(await podsOf(late.id)).toEqual([]);
  await link.mend();
  expect(await platform.ended(ends.id, 120)).toMatchObject({ status: 'succeeded', history: { restarts: 0 } });
  expect(await platform.ended(late.id, 120)).toMatchObject({ status: 'succeeded' });
  expect((await platform.job(stays.id)).status).toBe('running');
  expect(
    await kubectlThere('get', 'pod', '-n', stays.namespace ?? '', stays.id, '-o', 'jsonpath={.metadata.uid}'),
  ).toBe(uid);
  const lines = (await platform.log(ends.id)).toString().trim().split('\n');
  expect(lines).toEqual(Array.from({ length: 45 }, (_, at) => `line ${at}`));
  await platform.call('DELETE', `/jobs/${stays.id}`);
});

test('it leaves without a trace: its jobs are ended first, and neither cluster has anything of it', async () => {
  const runs = await job({ image: IMAGE, command: 'sleep 600' });
  await platform.running(runs.id);
  await expectOk(hall('leave'));
  expect(await platform.ended(runs.id)).toMatchObject({ status: 'cancelled' });
  expect(await clusters()).toMatchObject([{ name: 'default' }, { name: 'hall', state: 'left', nodes: 0, jobs: 0 }]);
  expect(await readFile(join(folder, 'delos.yaml'), 'utf8')).not.toContain('join');
  expect((await hall('cluster', 'status')).stdout).not.toContain('running');
  const config = z.object({ clusters: z.array(z.object({ name: z.string() })) });
  const { clusters: left } = config.parse(await (await platform.call('GET', '/config')).json());
  expect(left.map(({ name }) => name)).toEqual(['default']);
});
