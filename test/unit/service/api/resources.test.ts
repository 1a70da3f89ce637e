import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { NEEDS, RULES } from '../../../../runtime/service/src/api/authorization/rules.ts';
import { absentAt, absentOf, configUrls } from '../../../../runtime/service/src/api/known-services.ts';
import type { Resource } from '../../../../runtime/service/src/api/resource.ts';
import { RESOURCES } from '../../../../runtime/service/src/api/resources.ts';
import { generatedPart } from '../../../support/house/generated-part.ts';
import { ROOT } from '../../../support/house/rooms.ts';
import { routesOf } from '../../../support/service/routes-of.ts';

const LIST: readonly Resource[] = Object.values(RESOURCES);
const FOLDER = join(ROOT, 'runtime/service/src/api/resources');
const repeatedOf = (words: readonly string[]): readonly string[] =>
  words.filter((word, index) => words.indexOf(word) !== index);

describe('the list of resources', () => {
  test('has a line for each folder, under the name of the folder', () => {
    const folders = readdirSync(FOLDER).filter((name) => existsSync(join(FOLDER, name, 'index.ts')));
    expect(readdirSync(FOLDER)).toEqual(folders);
    expect(Object.keys(RESOURCES).toSorted()).toEqual(folders.toSorted());
    expect(LIST.map(({ name }) => name)).toEqual(Object.keys(RESOURCES));
  });

  test('gives no prefix, no table and no key of /config to two resources', () => {
    expect(repeatedOf(LIST.map(({ prefix }) => prefix))).toEqual([]);
    expect(repeatedOf(LIST.flatMap(({ tables }) => tables))).toEqual([]);
    const keys = [...LIST, ...absentOf(RESOURCES)].flatMap(({ config = [] }) => config.map(({ key }) => key));
    expect(repeatedOf(keys)).toEqual([]);
  });

  test.each(LIST)(
    '$name has an audit verb for each route that changes something, and for nothing else',
    async (resource) => {
      const routes = (await routesOf(resource)).filter(({ method }) => method !== 'GET');
      const listed = [...Object.keys(resource.audit), ...(resource.asks ?? [])];
      expect(listed.toSorted()).toEqual(routes.map(({ method, url }) => `${method} ${url}`).toSorted());
    },
  );

  test('is the one that docs/architecture.md shows', async () => {
    const keyed = ({ config = [] }: Resource): string => config.map(({ key }) => `\`${key}\``).join(', ') || '—';
    const owned = ({ tables }: Resource): string => tables.map((table) => `\`${table}\``).join(', ') || '—';
    const rows = LIST.map(
      (each) => `| \`${each.name}\` | ${each.title} | \`${each.prefix}\` | ${keyed(each)} | ${owned(each)} |`,
    );
    const table = [
      '| resource | what it is | prefix | key of `/config` | tables |',
      '| --- | --- | --- | --- | --- |',
      ...rows,
    ].join('\n');
    const { file, expected } = generatedPart('docs/architecture.md', 'resources', table);
    await expect(expected).toMatchFileSnapshot(file);
  });
});

test('the table of rights is the one that docs/guides/rights.md shows', async () => {
  const rows = Object.entries(RULES).flatMap(([name, lines]) =>
    lines.map(([endpoint, act, kind, needs]) => {
      const [method, url] = endpoint.split(' ');
      const path = `${RESOURCES[name as keyof typeof RESOURCES].prefix}${url}`.replace(/:(\w+)/g, (part) =>
        part.slice(1).toUpperCase(),
      );
      return `| \`${method} ${path}\` | ${act} | ${kind} | ${NEEDS[needs]} |`;
    }),
  );
  const table = ['| endpoint | act | kind | who may |', '| --- | --- | --- | --- |', ...rows].join('\n');
  const { file, expected } = generatedPart('docs/guides/rights.md', 'rights', table);
  await expect(expected).toMatchFileSnapshot(file);
});

describe('a service of the client', () => {
  const { buckets: _, ...less } = RESOURCES;

  test.each([
    ['/api/v1/buckets', true],
    ['/api/v1/buckets/bucket-1', true],
    ['/api/v1/bucket', false],
    ['/api/v1/jobs/job-1', false],
  ])('that the list lacks is absent at all its paths and at no other: %s', (path, absent) => {
    expect(absentAt(less, path) !== undefined).toBe(absent);
  });

  test('is no longer absent once the list has it, and keeps its address', () => {
    expect(absentAt(RESOURCES, '/api/v1/buckets/bucket-1')).toBeUndefined();
    expect(absentAt(RESOURCES, '/api/v1/apps')).toMatchObject({ message: expect.stringContaining('apps are not') });
    const urls = configUrls(less, 'https://delos', 'cluster');
    expect(urls).toMatchObject({
      buckets_url: 'https://delos/api/v1/buckets',
      monitoring_url: 'https://delos/api/v1/jobs',
      registry_url: 'https://delos',
    });
    expect(configUrls(RESOURCES, 'https://delos', 'cluster')).toEqual(urls);
  });
});
