import { resolveTool } from '@delos/cluster';
import { parseConfig } from '@delos/constructs';
import { NODE_NAMESPACE, silent, yamlText } from '@delos/core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { platformOf } from '../../unit/constructs/synthesized.ts';
import { type ControlPlane, startControlPlane } from '../service/control-plane.ts';
import { DryRun } from './dry-run.ts';
import { type Combination, nameOf, platformWith, yamlOf } from './switches.ts';

/** Pods that Pod Security `restricted` does not let in, and why they have to be so. */
const NOT_RESTRICTED: Readonly<Record<string, string>> = {
  collector: 'it reads the logs of jobs from the disk of its node',
  'amd-gpu-exporter': 'it opens devices that no device plugin gave it',
  'intel-gpu-exporter': 'it opens devices that no device plugin gave it',
};

/** Rules for these combinations, at a real API server without a node. */
export function switchRules(combinations: readonly Combination[]): void {
  let plane: ControlPlane;
  let server: DryRun;
  beforeAll(async () => {
    plane = await startControlPlane((await resolveTool('kube', silent)).path);
    server = new DryRun(plane);
    await server.prepare(platformOf());
  });
  afterAll(() => plane?.stop());

  const bytesOf = (combination: Combination): string =>
    platformWith(combination)
      .objects.map(({ manifest }) => yamlText(manifest))
      .join('---\n');

  test('each combination of switches is the same bytes when it is made twice', () => {
    for (const combination of combinations) {
      const bytes = bytesOf(combination);
      if (bytes !== bytesOf(combination)) expect.fail(`other bytes: ${nameOf(combination)}`);
      expect(bytes.length).toBeGreaterThan(10_000);
    }
  });

  test('the real API server takes each manifest and each Pod of each combination, Pod Security and all', async () => {
    for (const combination of combinations) {
      expect(await server.refusals(platformWith(combination)), nameOf(combination)).toEqual([]);
    }
    expect(server.asked).toBeGreaterThan(100);
  });

  test('the Pods that Pod Security `restricted` refuses are those of a list that says why', async () => {
    const refused = new Map<string, string>();
    for (const combination of combinations) {
      for (const { manifest } of platformWith(combination).objects) {
        if (!['Deployment', 'StatefulSet', 'DaemonSet'].includes(manifest.kind)) continue;
        const why = await server.refusalAmongRestricted(manifest);
        if (why !== undefined) refused.set(manifest.metadata.name, why);
        else expect(manifest.metadata.namespace).not.toBe(NODE_NAMESPACE);
      }
    }
    expect([...refused.keys()].sort()).toEqual(Object.keys(NOT_RESTRICTED).sort());
    expect(refused.get('collector')).toMatch(
      /violates PodSecurity "restricted:latest": restricted volume types.*hostPath/,
    );
  });

  test('the server refuses what it should: an unknown field, a bad value, a Pod that is privileged', async () => {
    const { objects } = platformOf();
    const gateway = objects.find(
      ({ manifest }) => manifest.kind === 'Deployment' && manifest.metadata.name === 'gateway',
    );
    if (gateway === undefined) throw new Error('there is no gateway');
    const altered = (from: string, to: string) => ({
      objects: [
        {
          ...gateway,
          manifest: JSON.parse(JSON.stringify(gateway.manifest).replaceAll(from, to)) as typeof gateway.manifest,
        },
      ],
    });
    expect(await server.refusals(altered('"maxSkew":1', '"maxSkew":0'))).toHaveLength(2);
    expect(await server.refusals(altered('"allowPrivilegeEscalation":false', '"privileged":true'))).toEqual([
      expect.stringContaining('violates PodSecurity "restricted:latest"'),
    ]);
    expect(await server.refusals(altered('"replicas":1', '"replicas":-1'))).toHaveLength(1);
  });

  test('no combination has a value of a secret', () => {
    for (const combination of combinations) {
      for (const { manifest } of platformWith(combination).objects) {
        if (manifest.kind === 'Secret') expect(manifest).not.toHaveProperty('data');
      }
      // The file itself has references alone.
      expect(() => parseConfig(yamlOf(combination), 'delos.yaml')).not.toThrow();
    }
  });
}
