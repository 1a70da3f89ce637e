import { describe, expect, test } from 'vitest';
import { carriedBuild, withoutOwnKeys } from '../../../../runtime/service/src/api/resources/jobs/builds/carry-out.ts';
import { recognizeBuild } from '../../../../runtime/service/src/api/resources/jobs/builds/recognize.ts';
import type { JobRequest } from '../../../../runtime/service/src/api/resources/jobs/request.ts';

/* Which jobs are builds of images. What the client submits is as apolo-extras 26.8 makes it (image_builder.py). */

const KANIKO = 'gcr.io/kaniko-project/executor:v1.20.0-debug';
const PLACE = { registry: 'ai.example.com:8443', org: 'acme', project: 'one' };
const USUAL = [
  '--context=/kaniko_context',
  '--dockerfile=/kaniko_context/Dockerfile',
  '--destination=ai.example.com:8443/acme/one/app:1',
  '--cache=true',
  // The client cuts off the port, and what follows it.
  '--cache-repo=ai.example.com',
  '--verbosity=info',
  '--image-fs-extract-retry=1',
  '--push-retry=3',
  '--use-new-run=true',
  '--snapshot-mode=redo',
];
const CACHE = 'ai.example.com:8443/acme/one/layer-cache/cache';
const job = (command: string, more: object = {}) => ({ image: KANIKO, command, ...more });
const usual = (...more: readonly string[]) => job([...USUAL, ...more].join(' '));
const merged = (args: string, rest = '') => ({
  image: KANIKO,
  entrypoint: `sh -c '${`sh /kaniko/.docker/merge_docker_auths.sh && executor ${args}`.replaceAll("'", `'"'"'`)}'${rest}`,
});

describe('what the client submits is a build', () => {
  const table = [
    ['image build', usual()],
    ['image build --no-cache', job(USUAL.join(' ').replace('--cache=true', '--cache=false'))],
    ['image build --verbose', job(USUAL.join(' ').replace('=info', '=debug'))],
    ['image build --build-arg', usual('--build-arg A=1', '--build-arg B=x=y')],
    ['image build --env, which are arguments too', usual('--build-arg A', '--build-arg SECRET')],
    ['image build --extra-kaniko-args', usual('--single-snapshot', '--label', 'a=b', '--target', 'made')],
    ['image build --env NE_REGISTRY_AUTH', merged([...USUAL, '--build-arg A=1'].join(' '))],
    ['image transfer', usual()],
    ['another release’s Kaniko', { ...usual(), image: 'gcr.io/kaniko-project/executor:v1.23.2' }],
  ] as const;
  test.each(table)('%s', (_, container) => {
    const build = recognizeBuild(container, PLACE);
    expect(build?.args.slice(0, 3)).toEqual(USUAL.slice(0, 3));
    expect(build?.args).toContain(`--cache-repo=${CACHE}`);
    expect(build?.pushes[0]).toBe('ai.example.com:8443/acme/one/app');
  });

  test('its words are one flag each, and it pushes to its cache as well', () => {
    const build = recognizeBuild(usual("--build-arg 'A=two words'"), PLACE);
    expect(build?.args.at(-1)).toBe('--build-arg=A=two words');
    expect(build?.pushes).toEqual(['ai.example.com:8443/acme/one/app', CACHE]);
  });

  test('a repository for layers that is whole stays as it is', () => {
    const build = recognizeBuild(usual('--cache-repo=ai.example.com:8443/acme/two/kept'), PLACE);
    expect(build?.args.at(-1)).toBe('--cache-repo=ai.example.com:8443/acme/two/kept');
    expect(build?.pushes).toContain('ai.example.com:8443/acme/two/kept');
  });

  test('where nothing is pushed, nothing is', () => {
    expect(recognizeBuild(job('--context=/w --no-push --destination=a.example/b:1'), PLACE)?.pushes).toEqual([]);
  });
});

describe('what is no build runs as it is', () => {
  const table = [
    ['another image', { ...usual(), image: 'gcr.io/kaniko-project/executor-of-mine:1' }],
    ['an image that ends as Kaniko’s does', { ...usual(), image: 'evil.example/gcr.io/kaniko-project/executor:1' }],
    ['Kaniko without arguments', { image: KANIKO }],
    ['a flag that the builder lacks', usual('--registry-mirror=mirror.example')],
    ['a flag that nobody has', usual('--unheard-of')],
    ['a word that is no flag', usual('more')],
    ['a flag without its value', usual('--build-arg')],
    ['a switch with another value', usual('--cleanup=perhaps')],
    ['a context that has to be fetched', job('--context=git://example.com/a --destination=a.example/b:1')],
    ['a context in a bucket', job('--context=s3://bucket/a --destination=a.example/b:1')],
    ['nothing to push to', job('--context=/w')],
    ['another program of that image', { image: KANIKO, entrypoint: '/busybox/sh -c "executor --context=/w"' }],
    ['more than the client’s script', merged(USUAL.join(' '), ' more')],
    ['a command of a shell after it', merged(`${USUAL.join(' ')}; rm -rf /`)],
    ['a variable of a shell in it', merged(`${USUAL.join(' ')} --build-arg A=$B`)],
    ['both ways at once', { ...merged(USUAL.join(' ')), command: '--cleanup' }],
    ['a folder to work in', { ...usual(), working_dir: '/w' }],
  ] as const;
  test.each(table)('%s', (_, container) => {
    expect(recognizeBuild(container, PLACE)).toBeUndefined();
  });
});

test('a build that comes before its builder is refused with what to do; another job, and a platform that has none, go on', async () => {
  const settings = { cluster: 'default', publicUrl: 'https://ai.example.com:8443', registry: {}, secretsKey: 'key' };
  const asked = (container: object, more: object = { builder: () => undefined }) => {
    const request = { meta: { org_name: 'acme', project_name: 'one', container: {} }, container };
    const deps = { database: {}, settings: { ...settings, ...more } } as unknown as Parameters<typeof carriedBuild>[0];
    const [caller, meant] = [{}, request] as unknown as [Parameters<typeof carriedBuild>[1], JobRequest];
    return carriedBuild(deps, caller, meant, 'default');
  };
  await expect(asked(usual())).rejects.toMatchObject({
    code: 'ERR_BUSY',
    message: expect.stringMatching(/the builder of images is not there yet/),
    hint: expect.stringMatching(/build again in two minutes/),
  });
  expect(await asked({ ...usual(), image: 'ubuntu:24.04' })).toBeUndefined();
  expect(await asked(usual(), {})).toBeUndefined();
});

describe('the file with the user’s token', () => {
  const file = (path: string) => ({ org: 'acme', project: 'one', source: 'x', path, readOnly: true });
  const mounts = [file('/kaniko_context'), file('/kaniko/.docker/config.json')];
  const left = async (text: string | undefined): Promise<readonly string[]> =>
    (await withoutOwnKeys(mounts, PLACE.registry, async () => text)).map(({ path }) => path);

  test('is not mounted where it is for the platform alone', async () => {
    expect(await left('{"auths": {"ai.example.com:8443": {"auth": "eDp5"}}}')).toEqual(['/kaniko_context']);
  });

  test('is mounted where it is for others too, and where nobody can tell', async () => {
    const all = mounts.map(({ path }) => path);
    expect(await left('{"auths": {"ai.example.com:8443": {}, "ghcr.io": {}}}')).toEqual(all);
    for (const text of [undefined, '', 'no JSON', '{}', '{"auths": []}', 'null']) expect(await left(text)).toEqual(all);
  });
});
