import { parseConfig } from '@delos/constructs';
import { POOL_LABEL } from '@delos/core';
import { describe, expect, test } from 'vitest';
import { AWS_MACHINES } from '../../../clouds/plan/aws-machines.ts';
import { AZURE_MACHINES } from '../../../clouds/plan/azure-machines.ts';
import { aksConfig, eksConfig, gkeConfig } from '../../../clouds/plan/config.ts';
import { GCP_MACHINES } from '../../../clouds/plan/gcp-machines.ts';
import { azureNames, checkGoogleNames } from '../../../clouds/plan/names.ts';
import { poolsOf } from '../../../clouds/plan/pools.ts';
import { checkStorage } from '../../../clouds/plan/storage.ts';

const CATALOGUES = { aws: AWS_MACHINES, gcp: GCP_MACHINES, azure: AZURE_MACHINES };
const SETTINGS = { instanceTypes: {}, system: { size: 2, cpu: 4, memory: 16 }, diskSize: 100 };
const platform = (...lines: readonly string[]) => parseConfig(`${lines.join('\n')}\n`, 'delos.yaml');
const typesOf = (
  pools: string,
  cloud: keyof typeof CATALOGUES,
  instanceTypes: Readonly<Record<string, string>> = {},
): readonly string[] =>
  poolsOf(platform(`nodePools: [${pools}]`), { ...SETTINGS, instanceTypes }, CATALOGUES[cloud]).map(({ type }) => type);

describe('the machines of a pool', () => {
  test.each([
    ['aws', '{name: a, nvidiaGpu: {count: 8, model: A100}}', 'p4d.24xlarge'],
    ['aws', '{name: a, nvidiaGpu: {count: 8, model: NVIDIA A100-SXM4, memory: 80Gi}}', 'p4de.24xlarge'],
    ['aws', '{name: a, nvidiaGpu: {count: 8, model: H100}}', 'p5.48xlarge'],
    ['aws', '{name: a, nvidiaGpu: {count: 1, model: T4}, cpu: 10}', 'g4dn.4xlarge'],
    ['aws', '{name: a, cpu: 16, memory: 64Gi}', 'm7i.4xlarge'],
    ['aws', '{name: a, cpu: 16, memory: 100Gi}', 'r7i.4xlarge'],
    ['gcp', '{name: a, nvidiaGpu: {count: 2, model: A100}}', 'a2-highgpu-2g'],
    ['gcp', '{name: a, nvidiaGpu: {count: 1, model: L4}}', 'g2-standard-4'],
    ['gcp', '{name: a, cpu: 8, memory: 8Gi}', 'n2-highcpu-8'],
    ['azure', '{name: a, nvidiaGpu: {count: 4, model: A100}}', 'Standard_NC96ads_A100_v4'],
    ['azure', '{name: a, amdGpu: {count: 8, model: MI300X}}', 'Standard_ND96isr_MI300X_v5'],
    ['azure', '{name: a, cpu: 8, memory: 60Gi}', 'Standard_E8s_v5'],
  ] as const)('%s: %s is %s', (cloud, pool, type) => {
    expect(typesOf(pool, cloud)[1]).toBe(type);
  });

  test('hold the largest preset that may run there, and something for the node itself', () => {
    const given = platform(
      'nodePools: [{name: cpu}, {name: gpu, nvidiaGpu: {count: 1, model: L4}}]',
      'presets:',
      '  - {name: small, cpu: 1, memory: 2Gi}',
      '  - {name: wide, cpu: 8, memory: 30Gi, pools: [cpu]}',
      '  - {name: one-gpu, cpu: 6, memory: 20Gi, nvidiaGpu: {count: 1, model: L4}}',
    );
    const types = poolsOf(given, SETTINGS, AWS_MACHINES).map(({ type }) => type);
    expect(types).toEqual(['m7i.xlarge', 'm7i.4xlarge', 'g6.4xlarge']);
  });

  test('are those that the file names, where it names some', () => {
    expect(typesOf('{name: a}', 'aws', { a: 'x9.huge', system: 'm8g.large' })).toEqual(['m8g.large', 'x9.huge']);
  });

  test('of which there are none are refused, with those that come near', () => {
    expect(() => typesOf('{name: a, nvidiaGpu: {count: 3, model: A100}}', 'gcp')).toThrow(
      /instanceTypes\.a: no machine that is known here has .*3 × A100; with such GPUs there are a2-highgpu-1g \(12 cores, 85 GiB, 1 GPUs\)/,
    );
    expect(() => typesOf('{name: a, cpu: 1000}', 'aws')).toThrow('no machine that is known here has 1000 cores');
    expect(() => typesOf('{name: a}', 'aws', { b: 'm7i.large' })).toThrow('no pool is named b: expected system, a');
  });

  test('carry the label of their pool; those of the platform one of no pool, so that no job goes there', () => {
    const [system, pool] = poolsOf(
      platform('nodePools: [{name: a, minSize: 0, maxSize: 9, labels: {team: red}, disk: 200Gi, preemptible: true}]'),
      SETTINGS,
      AWS_MACHINES,
    );
    expect(system).toMatchObject({ minSize: 2, maxSize: 2, disk: 100, labels: { [POOL_LABEL]: 'delos-system' } });
    expect(pool).toMatchObject({ minSize: 0, maxSize: 9, disk: 200, preemptible: true });
    expect(pool?.labels).toEqual({ team: 'red', [POOL_LABEL]: 'a' });
  });
});

describe('names of pools', () => {
  const named = (...names: readonly string[]) =>
    poolsOf(platform(`nodePools: [${names.map((name) => `{name: ${name}}`).join(', ')}]`), SETTINGS, AWS_MACHINES);

  test('at Azure are letters and digits alone, and no two are the same', () => {
    expect([...azureNames(named('a100-spot', '8gpu', 'a-very-long-pool'))]).toEqual([
      ['delos-system', 'system'],
      ['a100-spot', 'a100spot'],
      ['8gpu', 'p8gpu'],
      ['a-very-long-pool', 'averylongpoo'],
    ]);
    expect(() => azureNames(named('a-b', 'ab'))).toThrow('nodePools: ab and a-b are both ab at Azure');
    expect(() => azureNames(named('system'))).toThrow('system and delos-system are both system at Azure');
  });

  test('at Google have 40 letters at most', () => {
    expect(() => checkGoogleNames(named('a'.repeat(40)))).not.toThrow();
    expect(() => checkGoogleNames(named('a'.repeat(41)))).toThrow('has 41 letters, and a pool at Google 40 at most');
  });
});

describe('StorageClasses', () => {
  const ebs = 'storageClasses: {awsEbs: [{name: fast}]}';

  test('are those of the provider', () => {
    expect(() => checkStorage(platform(ebs), 'gcpDisk', true)).toThrow('storageClasses.awsEbs: its disks are those');
    expect(() => checkStorage(platform('storageClasses: {gcpDisk: [{name: fast}]}'), 'gcpDisk', true)).not.toThrow();
  });

  test('are named where a new cluster has no default', () => {
    expect(() => checkStorage(platform(ebs), 'awsEbs', false)).toThrow('cluster.storageClass is not set');
    const half = platform(ebs, 'cluster: {storageClass: fast}');
    expect(() => checkStorage(half, 'awsEbs', false)).toThrow('disks.storageClass is not set');
    const whole = platform(ebs, 'cluster: {storageClass: fast}', 'disks: {storageClass: fast}');
    expect(() => checkStorage(whole, 'awsEbs', false)).not.toThrow();
  });
});

describe('the file of a cluster', () => {
  const eks = { name: 'lab', region: 'eu-central-1', zones: ['eu-central-1a', 'eu-central-1b'] };

  test('is little', () => {
    expect(eksConfig.parse(eks)).toMatchObject({ platform: 'delos.yaml', endpoint: { private: false }, diskSize: 100 });
    expect(gkeConfig.parse({ name: 'lab', project: 'my-project', location: 'europe-west4' })).toMatchObject({
      zones: [],
    });
    expect(aksConfig.parse({ name: 'lab', location: 'westeurope' })).toMatchObject({ zones: [] });
  });

  test.each([
    [{ zones: ['eu-central-1a'] }, 'zones'],
    [{ name: 'Lab' }, 'name'],
    [{ version: '1.29' }, 'version'],
    [{ network: '10.40.0.0' }, 'network'],
    [{ endpoint: { private: true, from: ['192.0.2.0/24'] } }, 'endpoint.from'],
    [{ instanceTypes: { a: 'no such type' } }, 'instanceTypes.a'],
    [{ colour: 'red' }, ''],
  ])('%j is refused', (wrong, field) => {
    const { error } = eksConfig.safeParse({ ...eks, ...wrong });
    expect(error?.issues.map(({ path }) => path.join('.'))).toEqual([field]);
  });
});
