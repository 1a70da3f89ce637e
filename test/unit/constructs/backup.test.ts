import {
  engineContext,
  filesRestore,
  parseConfig,
  SAVED_FILES,
  savedServices,
  synthesize,
  volumeRestore,
} from '@delos/constructs';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { restrictedFaults } from './pod-security.ts';

const claims = z.looseObject({
  spec: z.looseObject({
    template: z.looseObject({ metadata: z.looseObject({ labels: z.record(z.string(), z.string()) }) }),
    volumeClaimTemplates: z
      .array(z.looseObject({ metadata: z.looseObject({ name: z.string() }), spec: z.unknown() }))
      .default([]),
  }),
});

/** What has a volume and is not in a backup, and why. */
const NOT_SAVED: Readonly<Record<string, string>> = {
  alertmanager: 'silences and what was told already: an alert is told again',
  prometheus: 'metrics: large, and of the time before',
  'victoria-logs': 'an index to search in: logs of jobs are in the archive, which is saved',
};

const config = parseConfig(
  'services:\n  objectStorage: { enabled: true }\n  registry: { enabled: true }\n  victoriaLogs: { enabled: true }\n',
  'delos.yaml',
);
const synthesis = synthesize(config, engineContext(config, 'embedded'));
const sets = synthesis.objects.flatMap(({ manifest }) =>
  manifest.kind === 'StatefulSet' ? [{ name: manifest.metadata.name, ...claims.parse(manifest) }] : [],
);

test('every service with a volume is in a backup, or somebody has said why not', () => {
  const withVolume = sets.filter(({ spec }) => spec.volumeClaimTemplates.length > 0).map(({ name }) => name);
  const saved = savedServices(config).map(({ name }) => name);
  expect([...saved, ...Object.keys(NOT_SAVED)].sort()).toEqual(withVolume.sort());
});

describe.each(savedServices(config))('the volume of $name', (service) => {
  const { claim, pod } = volumeRestore(synthesis, service);
  const set = sets.find(({ name }) => name === service.name);

  test('is the one that its StatefulSet will look for', () => {
    expect(claim.metadata).toMatchObject({ name: `data-${service.name}-0`, namespace: 'delos' });
    expect(claim.spec).toEqual(set?.spec.volumeClaimTemplates[0]?.spec);
  });

  test('is filled by a Pod under Pod Security restricted, to which nothing leads', () => {
    expect(restrictedFaults(pod.spec)).toEqual([]);
    expect(pod.spec).toMatchObject({ automountServiceAccountToken: false });
    expect(pod.metadata.labels).not.toMatchObject(set?.spec.template.metadata.labels ?? {});
  });
});

describe('files of projects', () => {
  const nfs = parseConfig('storage: { nfs: { server: nfs.example.com, path: /exports } }\n', 'delos.yaml');
  const restore = filesRestore(synthesize(nfs, engineContext(nfs, 'embedded')));
  const ground = synthesize(nfs, engineContext(nfs, 'embedded'), []);

  test('come back on the volume and claim that their service has, by a Pod under Pod Security restricted', () => {
    expect(ground.objects.map(({ manifest }) => manifest)).toContainEqual(restore?.claim);
    expect(restore?.claim).toMatchObject({ kind: 'PersistentVolumeClaim', metadata: { namespace: 'delos' } });
    expect(restrictedFaults(restore?.pod.spec)).toEqual([]);
    expect(restore?.pod.spec).toMatchObject({
      volumes: [{ persistentVolumeClaim: { claimName: restore?.claim.metadata.name } }],
    });
    expect(restore?.pod.metadata.labels).not.toMatchObject(SAVED_FILES.labels);
  });

  test('are not looked for where the platform has none', () => {
    const none = parseConfig('services: { files: { enabled: false } }\n', 'delos.yaml');
    expect(filesRestore(synthesize(none, engineContext(none, 'existing')))).toBeUndefined();
  });
});
