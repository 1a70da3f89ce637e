import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CATALOGUE } from '@delos/artifacts';
import { splitReference } from '@delos/core';
import { describe, expect, test } from 'vitest';

const IMAGES = join(import.meta.dirname, '../../../artifacts/images');
const named = CATALOGUE.map((image) => [image.name, image] as const);
const built = named.filter(([, { build }]) => build !== null);

describe('the catalogue', () => {
  test('names each image once, and each has a folder of its name; no folder is left over', () => {
    const names = CATALOGUE.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    const folders = readdirSync(IMAGES, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    const ours = folders.map(({ name }) => name).filter((name) => !['base', 'machine'].includes(name));
    expect(ours.sort()).toEqual([...names].sort());
  });

  test('answers no name and tag twice', () => {
    const all = CATALOGUE.flatMap(({ answers, tags }) =>
      answers.flatMap((name) => tags.map((tag) => `${name}:${tag}`)),
    );
    expect(new Set(all).size).toBe(all.length);
  });

  test.each(named)(
    '%s: pins its upstream, says its licence, and stands in only when it says what it is',
    (_, image) => {
      expect(image.licence).toMatch(/^[A-Za-z0-9.-]+(?: (?:AND|OR|WITH) [A-Za-z0-9.-]+)*$/);
      expect(image.version).toMatch(/^\d/);
      expect(image.role === 'stand-in').toBe(image.standIn !== null);
      expect(image.upstream === null).toBe(image.role === 'ours');
      expect(image.answers.length > 0).toBe(image.tags.length > 0);
      if (image.role === 'service') expect(splitReference(image.upstream ?? '').tag).toMatch(/\d/);
      for (const answered of image.answers) expect(splitReference(answered).name).toBe(answered);
    },
  );

  test('what is not built here is published', () => {
    for (const { name, build, upstream } of CATALOGUE)
      expect([name, build !== null || upstream !== null]).toEqual([name, true]);
  });

  test.each(built)('%s: its Containerfile names no registry and fetches nothing by itself', (name) => {
    const text = readFileSync(join(IMAGES, name, 'Containerfile'), 'utf8');
    for (const [, from = ''] of text.matchAll(/^FROM (\S+)/gm)) expect(from).toMatch(/^(scratch|\$\{(USER_)?BASE\})$/);
    expect(text).not.toMatch(/https?:|\bgit clone\b|\bpip install\b|\bapt(-get)? install\b/);
  });

  test.each(
    named.filter(([, { build }]) => build?.kind === 'wheels' || (build?.kind === 'archive' && build.wheels === true)),
  )('%s: each of its wheels is pinned by version and hash', (name) => {
    const text = readFileSync(join(IMAGES, name, 'requirements.txt'), 'utf8').replaceAll(/^#.*\n/gm, '');
    const lines = text.replaceAll(' \\\n', '').trim().split('\n');
    expect(lines.length).toBeGreaterThan(1);
    for (const line of lines) expect(line).toMatch(/^[a-z0-9-]+==[\w.]+(?: +--hash=sha256:[0-9a-f]{64})+$/);
  });

  test.each(built.filter(([, { role }]) => role === 'service'))('%s: runs as a user of its own', (name) => {
    const user = /^USER (\d+):(\d+)$/m.exec(readFileSync(join(IMAGES, name, 'Containerfile'), 'utf8'));
    expect(Number(user?.[1])).toBeGreaterThan(0);
  });
});

describe('a reference', () => {
  test.each([
    ['ubuntu', 'docker.io/library/ubuntu', 'latest'],
    ['ubuntu:24.04', 'docker.io/library/ubuntu', '24.04'],
    ['library/ubuntu', 'docker.io/library/ubuntu', 'latest'],
    ['index.docker.io/library/ubuntu', 'docker.io/library/ubuntu', 'latest'],
    ['me/tool', 'docker.io/me/tool', 'latest'],
    ['ghcr.io/neuro-inc/base:v1', 'ghcr.io/neuro-inc/base', 'v1'],
    ['localhost/a/b', 'localhost/a/b', 'latest'],
    ['registry:5000/a:1', 'registry:5000/a', '1'],
    ['registry:5000/a', 'registry:5000/a', 'latest'],
    [`ubuntu@sha256:${'0'.repeat(64)}`, 'docker.io/library/ubuntu', ''],
  ])('%s is %s with tag %j', (reference, name, tag) => {
    expect(splitReference(reference)).toEqual({ name, tag });
  });
});
