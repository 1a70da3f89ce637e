import { execFileSync } from 'node:child_process';
import { chmod, lstat, mkdir, mkdtemp, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { instancePaths } from '@delos/core';
import { envLines, pulumiHome } from '@delos/stacks';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

const ROOT = join(import.meta.dirname, '../../..');
let folder: string;
let input: Parameters<typeof envLines>[0];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'delos-env-'));
  vi.stubEnv('HOME', folder);
  vi.stubEnv('PULUMI_HOME', undefined);
  const command = join(folder, 'pulumi');
  await writeFile(command, '#!/bin/sh\necho "stack=$PULUMI_STACK file=$PULUMI_OPTION_CONFIG_FILE args=$*"\n');
  await chmod(command, 0o755);
  input = {
    paths: instancePaths('env', { HOME: folder, XDG_STATE_HOME: join(folder, 'state') }),
    pulumi: { path: command },
    handle: { kubeconfig: '/kubeconfig' },
    commands: { kubectl: command },
  };
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

/** What `pulumi ARGS` says in a shell after `eval "$(delos env)"`. */
async function said(cwd: string, args = '', env: NodeJS.ProcessEnv = {}): Promise<string> {
  const { text } = await envLines(input);
  const script = `${text}\npulumi ${args}`;
  return execFileSync('/bin/sh', ['-c', script], {
    cwd,
    env: { PATH: process.env.PATH, ...env },
    encoding: 'utf8',
  }).trim();
}

describe('pulumi in the shell that `delos env` makes', () => {
  const own = () => `stack=env file=${pulumiHome(input.paths).stackFile}`;

  test('means the instance’s stack in Delos’s own project', async () => {
    expect(await said(ROOT, 'preview')).toBe(`${own()} args=preview`);
    expect(await said(join(ROOT, 'stacks/src'), 'up')).toBe(`${own()} args=up`);
    expect(await said(ROOT, 'up', { PULUMI_STACK: 'other' })).toContain('stack=other ');
  });

  test('means the project’s own stacks and configuration elsewhere', async () => {
    const project = join(folder, 'a project');
    await mkdir(project);
    await writeFile(join(project, 'Pulumi.yaml'), '');
    expect(await said(project, 'preview')).toBe('stack= file= args=preview');
    expect(await said(folder, 'preview')).toBe('stack= file= args=preview');
    expect(await said(folder, `-C '${ROOT}' preview`)).toBe(`${own()} args=-C ${ROOT} preview`);
    expect(await said(ROOT, `--cwd='${project}' preview`)).toBe(`stack= file= args=--cwd=${project} preview`);
  });

  test('is never a link to itself, however often the lines are asked for', async () => {
    const bin = join(input.paths.state, 'bin');
    const before = await said(ROOT, 'up');
    for (let turn = 0; turn < 3; turn++) {
      const commands = { kubectl: join(bin, 'kubectl') };
      await envLines({ ...input, pulumi: { path: join(bin, 'pulumi') }, commands });
    }
    expect(await readlink(join(bin, 'kubectl'))).toBe(join(folder, 'pulumi'));
    const path = `${bin}:${process.env.PATH}`;
    expect(execFileSync('pulumi', ['up'], { cwd: ROOT, env: { PATH: path }, encoding: 'utf8' }).trim()).toBe(before);
  });
});

test('an official plugin that the person has installed serves the instance: a folder with a link, where an earlier version left a link', async () => {
  const name = 'resource-kubernetes-v4.34.2';
  const official = join(folder, '.pulumi/plugins', name);
  await mkdir(official, { recursive: true });
  await writeFile(join(official, 'pulumi-resource-kubernetes'), '#!/bin/sh\n', { mode: 0o755 });
  const plugins = join(pulumiHome(input.paths).home, 'plugins');
  await mkdir(plugins, { recursive: true });
  await symlink(official, join(plugins, name));
  await envLines(input);
  await envLines(input);
  expect((await lstat(join(plugins, name))).isDirectory()).toBe(true);
  expect(await readlink(join(plugins, name, 'pulumi-resource-kubernetes'))).toBe(
    join(official, 'pulumi-resource-kubernetes'),
  );
});
