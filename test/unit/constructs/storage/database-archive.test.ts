import { objectOf } from '@delos/constructs';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { problemsOf } from '../../../support/config-problems.ts';
import { restrictedFaults } from '../pod-security.ts';
import { platformOf, workloadsOf } from '../synthesized.ts';

const STORE =
  'store: {endpoint: "https://s3.example.org", bucket: ours, accessKey: AKIA, secretKey: {secret: {name: s, key: k}}, addresses: [10.20.0.8]}';
const archived = (own: string, more = ''): string =>
  `services: {objectStorage: {enabled: true}, databaseArchive: {enabled: true, ${own}}, postgres: {${more}}}`;
const plain = platformOf(archived('within: 30'), 'existing');
const podOf = (synthesis: typeof plain) => workloadsOf(synthesis).find(({ name }) => name === 'database-archive')?.pod;
const files = (synthesis: typeof plain): Record<string, string> =>
  z.record(z.string(), z.string()).parse(objectOf(synthesis, 'ConfigMap', 'postgres', 'delos').manifest.data);

describe('the archive of the database', () => {
  test('runs under Pod Security restricted, with secrets as files alone', () => {
    const pod = podOf(plain);
    expect(restrictedFaults(pod)).toEqual([]);
    const env = Object.fromEntries((pod?.containers[0]?.env ?? []).map(({ name, value }) => [name, value]));
    expect(env).toMatchObject({
      PGHOST: 'postgres.delos.svc.cluster.local',
      PGUSER: 'archiver',
      S3_BUCKET: 'database-archive',
      DELOS_ARCHIVE_WITHIN_SECONDS: '30',
    });
    expect(Object.keys(env).filter((name) => name.endsWith('_KEY_FILE'))).toEqual(['S3_SECRET_KEY_FILE']);
  });

  test('has a role that may copy all, which nobody has without it', () => {
    expect(files(plain)['pg_hba.conf']).toContain('host  replication archiver    all  scram-sha-256');
    expect(files(plain)['prepare.sh']).toContain('alter role archiver replication;');
    const without = files(platformOf('', 'existing'));
    expect([without['pg_hba.conf'], without['prepare.sh']].join('')).not.toContain('archiver');
  });

  test('follows the primary of three, which all keep its slot', () => {
    const three = platformOf(archived('keepDays: 3', 'replicas: 3'), 'existing');
    const env = podOf(three)?.containers[0]?.env ?? [];
    expect(env.find(({ name }) => name === 'PGHOST')?.value).toMatch(/^postgres-primary\./);
    expect(JSON.parse(files(three)['patroni.json'] ?? '')).toMatchObject({
      dynamic: { slots: { archive: { type: 'physical' } } },
    });
    for (const script of ['prepare.sh', 'reconcile.sh']) {
      expect(files(three)[script]).toContain('for name in replicator archiver rewinder; do');
    }
  });

  test('goes to a storage of its own where one is given, with its key', () => {
    const own = platformOf(
      `services: {databaseArchive: {enabled: true, key: {secret: {name: age, key: k}}, ${STORE}}}`,
      'existing',
    );
    const env = Object.fromEntries((podOf(own)?.containers[0]?.env ?? []).map(({ name, value }) => [name, value]));
    expect(env).toMatchObject({ S3_ENDPOINT: 'https://s3.example.org', S3_BUCKET: 'ours' });
    expect(env.DELOS_ARCHIVE_KEY_FILE).toMatch(/\/age\/k$/);
  });

  test.each([
    ['services: {databaseArchive: {enabled: true}, objectStorage: {enabled: false}}', 'the archive needs a bucket'],
    [
      `services: {databaseArchive: {enabled: true, ${STORE}}, postgres: {external: {host: 10.20.0.5, databases: {delos: {password: {secret: {name: a, key: b}}}, keycloak: {password: {secret: {name: a, key: b}}}}}}}`,
      'has an archive of its own',
    ],
    [
      "services: {databaseArchive: {enabled: true}, objectStorage: {external: {endpoint: 'http://10.20.0.7:9000', buckets: {}}}}",
      'the archive needs a bucket',
    ],
    [
      "services: {databaseArchive: {enabled: true}, objectStorage: {external: {endpoint: 'http://10.20.0.7:9000/a', buckets: {database-archive: {accessKey: a, secretKey: {file: /x}}}}}}",
      'at the root of its host',
    ],
    [archived('within: 1'), 'within'],
    [archived('baseEvery: 1'), 'baseEvery'],
    [archived('keepDays: 0'), 'keepDays'],
    [
      archived(
        'store: {endpoint: "https://s3.example.org/path", bucket: a, accessKey: b, secretKey: {file: /x}, addresses: [10.1.1.1]}',
      ),
      'without a path',
    ],
  ])('is refused: %s', (text, words) => {
    expect(
      problemsOf(text)
        .map(({ where, message }) => `${where.field}: ${message}`)
        .join('\n'),
    ).toContain(words);
  });
});
