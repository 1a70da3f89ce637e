import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LOG_SEARCH } from '@delos/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { expectOk } from '../../../peers/src/command.ts';
import { serviceProcesses } from '../../support/cluster/node.ts';
import { delos, delosJson, kubectl, TEST_CONFIG, testPlatform, token } from '../../support/instance.ts';
import { type Api, api } from '../../support/service/api.ts';
import { until } from '../../support/until.ts';

/* Lines of Pods that are gone are found: by the operator, and by people of the project, also over a SIGKILL of VictoriaLogs. */

let folder: string;
let origin: string;
let ann: Api;

beforeAll(async () => {
  origin = (await testPlatform()).origin;
  folder = await mkdtemp(join(tmpdir(), 'delos-search-'));
  const config = await readFile(TEST_CONFIG, 'utf8');
  const services = 'services:\n';
  expect(config).toContain(services);
  const searched = `${services}  victoriaLogs: { enabled: true, storage: 1Gi }\n`;
  await writeFile(join(folder, 'delos.yaml'), config.replace(services, searched));
  await expectOk(delos(['up', '--config', join(folder, 'delos.yaml')]));
  ann = await api('ann');
});
afterAll(async () => {
  if (folder === undefined) return;
  // Other files of the run have the platform as it was.
  await expectOk(delos(['up', '--config', TEST_CONFIG]));
  await rm(folder, { recursive: true });
});

/** A job that says a word, and whose Pod is gone. */
async function gone(word: string): Promise<string> {
  const { id } = await ann.create({ preset_name: 'tiny', command: `echo said ${word}` });
  expect((await ann.ended(id)).status).toBe('succeeded');
  await until('the Pod is gone', 120, async () =>
    (await kubectl(['get', 'pods', '--all-namespaces', '--output', 'name'])).includes(id) ? undefined : true,
  );
  return id;
}

const answer = z.looseObject({ lines: z.array(z.looseObject({ _msg: z.string(), pod: z.string() })) });

const owned = z.object({ lines: z.array(z.looseObject({ text: z.string() })) });

/** Lines that the operator's command finds. */
const found = async (...args: readonly string[]) => (await delosJson(answer, ['logs', ...args])).lines;
const finds = (expected: readonly string[], ...args: readonly string[]): Promise<true> =>
  until('it is found', 90, async (last) => {
    const there = (await found(...args)).map(({ _msg }) => _msg);
    last(there);
    return JSON.stringify(there) === JSON.stringify(expected) ? true : undefined;
  });

describe('a deleted Pod’s log', () => {
  test('is found by the operator, of a job and of a service', async () => {
    const id = await gone('heron');
    await finds(['said heron'], '--search', 'SAID HERON', '--job', id);
    const name = ['-n', 'delos', '-l', 'app.kubernetes.io/name=scheduler', '-o', 'jsonpath={.items[0].metadata.name}'];
    const pod = (await kubectl(['get', 'pods', ...name])).trim();
    await kubectl(['delete', 'pod', '-n', 'delos', pod]);
    await until('lines of that Pod are found', 90, async () =>
      (await found('--search', 'scheduler', '--service', 'scheduler')).some((line) => line.pod === pod)
        ? true
        : undefined,
    );
  });

  test('is found by its owner through the API, and by nobody of another project', async () => {
    const id = await gone('egret');
    const ask = async (user: string) => {
      const response = await fetch(`${origin}${LOG_SEARCH}?search=said+egret`, {
        headers: { authorization: `Bearer ${await token(user)}` },
      });
      return { status: response.status, body: owned.parse(await response.json()) };
    };
    await until('it is found', 90, async (last) => {
      const there = await ask('ann');
      last(there);
      return there.body.lines.length === 1 ? true : undefined;
    });
    expect((await ask('ann')).body.lines).toMatchObject([
      { text: 'said egret', job: id, owner: 'ann', output: 'stdout', org_name: 'default', project_name: 'default' },
    ]);
    expect((await ask('admin')).body.lines).toHaveLength(1);
    expect(await ask('bob')).toMatchObject({ status: 200, body: { lines: [] } });
  });

  test('is found once though VictoriaLogs was killed as soon as the Pod was gone', async () => {
    const id = await gone('stork');
    const processes = await serviceProcesses('victoria-logs');
    expect(processes.length).toBeGreaterThan(0);
    for (const { pid } of processes) process.kill(pid, 'SIGKILL');
    await finds(['said stork'], '--search', 'said stork', '--job', id);
    await finds(['said heron'], '--search', 'said heron', '--project', 'default');
  });
});
