import { mirrorStore, resolveTool, withRegistry } from '@delos/cluster';
import { instancePaths, PULL_SECRET_PREFIX, projectNamespace, silent } from '@delos/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { ApoloClient } from '../../../peers/src/apolo.ts';
import { delosJson, kubectl, loggedIn, TEST_INSTANCE, testPlatform, token } from '../../support/instance.ts';
import { type Crane, crane } from '../../support/registry/crane.ts';
import { IMAGE } from '../../support/service/api.ts';
import { until } from '../../support/until.ts';

/* The registry of images, as people have it: pushed to by crane, listed by the official client, and jobs start from it. */

let host: string;
let ann: ApoloClient;
let mine: Crane;
let bobs: Crane;

beforeAll(async () => {
  host = new URL((await testPlatform()).origin).host;
  ann = await loggedIn('ann');
  mine = await crane(host, { user: 'token', password: await token('ann') });
  bobs = await crane(host, { user: 'token', password: await token('bob') });
});
afterAll(async () => {
  await ann?.close();
  await mine?.stop();
  await bobs?.stop();
});

const OWN = 'default/default/own';
const run = (image: string) => ann.run(['run', '-s', 'tiny', image, '--', 'cat', '/content']);

describe('an image that a person has pushed', () => {
  test('is what a job starts from, by a credential that is in no Pod', async () => {
    const { path } = await resolveTool('registry', silent);
    const store = mirrorStore(instancePaths(TEST_INSTANCE, process.env));
    // Where the images are that this cluster has by itself.
    await withRegistry(path, store, (from) => mine.ok('copy', `${from}/${IMAGE}:latest`, `${host}/${OWN}:base`));
    await mine.push(`${host}/${OWN}:1`, 'of my own\n', `${host}/${OWN}:base`);
    expect(await run('image:own:1')).toMatchObject({ code: 0, stdout: expect.stringContaining('of my own') });
    const namespace = projectNamespace('default', 'default');
    const secrets = await kubectl(['get', 'secrets', '--namespace', namespace, '--output', 'name']);
    expect(secrets).toMatch(new RegExp(`^secret/${PULL_SECRET_PREFIX}[0-9a-f]{16}$`, 'm'));
  });

  test('is listed, and gone when it is removed', async () => {
    expect((await ann.ok(['image', 'ls', '--full-uri'])).match(/image:\S+/g)).toEqual([`image://default/${OWN}`]);
    expect(await ann.ok(['image', 'tags', 'image:own'])).toMatch(/\b1\b.*\bbase\b/s);
    await ann.ok(['image', 'rm', 'image:own:1']);
    expect(await ann.ok(['image', 'tags', 'image:own'])).not.toMatch(/:1$/m);
  });

  test('is counted to its project, and its space comes back when the administrator asks for it', async () => {
    const usage = z.object({ projects: z.array(z.object({ project: z.string(), bytes: z.number() })) });
    const { projects } = await delosJson(usage, ['images', 'usage']);
    expect(projects).toEqual([{ project: 'default/default', bytes: expect.any(Number) }]);
    const collected = z.object({ blobs: z.number(), bytes: z.number(), kept: z.number() });
    // The layer of the image that was removed above; it was in use a moment ago.
    const done = await until('its blobs are unused for a second', 60, async () => {
      const report = await delosJson(collected, ['images', 'collect', '--unused-for', '1s']);
      return report.blobs > 0 ? report : undefined;
    });
    expect(done.kept).toBeGreaterThan(0);
    expect((await mine.run('digest', `${host}/${OWN}:base`)).code).toBe(0);
  });

  test('is nothing to whoever is not in its project', async () => {
    expect((await bobs.run('digest', `${host}/${OWN}:base`)).stderr).toContain('DENIED');
    await expect(bobs.push(`${host}/${OWN}:2`, 'refused')).rejects.toThrow('DENIED');
    expect(await bobs.ok('catalog', host)).toBe('');
    // The node has it already, and would ask nobody.
    const bob = await loggedIn('bob').catch(() => undefined);
    if (bob === undefined) return;
    const refused = await bob.run(['run', '-s', 'tiny', `${host}/${OWN}:base`, '--', 'true']);
    expect(refused.code).not.toBe(0);
    await bob.close();
  });
});
