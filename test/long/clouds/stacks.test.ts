import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { instancePaths } from '@delos/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { execute, expectOk } from '../../../peers/src/command.ts';
import { TEST_INSTANCE } from '../../support/instance.ts';

/*
 * The stacks of clouds, against the types that the providers publish and under Pulumi's mocks. No cloud is asked: neither the providers'
 * plugins nor an account are at hand where this is made. Their packages (400 MB) are installed into the cache, once for each lock.
 */

const ROOT = join(import.meta.dirname, '../../..');
const CLOUDS = join(ROOT, 'clouds');
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'delos-clouds-'));
  // The package as it lies in the checkout, with what `npm ci` there would bring.
  await cp(CLOUDS, join(folder, 'clouds'), { recursive: true, filter: (path) => !path.includes('/node_modules') });
  await cp(join(ROOT, 'tsconfig.base.json'), join(folder, 'tsconfig.base.json'));
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  await symlink(await installed(), join(folder, 'clouds/node_modules'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function installed(): Promise<string> {
  const lock = await readFile(join(CLOUDS, 'package-lock.json'));
  const target = join(
    instancePaths(TEST_INSTANCE, process.env).cache,
    'test',
    `clouds-${createHash('sha256').update(lock).digest('hex').slice(0, 12)}`,
  );
  if (existsSync(target)) return join(target, 'node_modules');
  const work = `${target}.${process.pid}.new`;
  await mkdir(work, { recursive: true });
  for (const file of ['package.json', 'package-lock.json', '.npmrc']) await cp(join(CLOUDS, file), join(work, file));
  await expectOk(execute(['npm', 'ci', '--omit=peer'], { cwd: work, timeout: 900, env: process.env }));
  await rename(work, target);
  return join(target, 'node_modules');
}

const DELOS = `domain: ai.example.com
cluster: {engine: existing, storageClass: fast}
disks: {storageClass: fast}
nodePools:
  - {name: a100, minSize: 0, maxSize: 4, nvidiaGpu: {count: 8, model: NVIDIA A100, memory: 80Gi}, preemptible: true}
  - {name: cpu, minSize: 1, maxSize: 8, labels: {team: red}}
presets:
  - {name: a100-x8, cpu: 80, memory: 700Gi, nvidiaGpu: {count: 8, model: A100}}
  - {name: cpu-large, cpu: 7, memory: 24Gi}
`;

const document = z.object({
  made: z.array(z.object({ type: z.string(), name: z.string(), inputs: z.record(z.string(), z.unknown()) })),
  outputs: z.record(z.string(), z.object({ secret: z.boolean(), value: z.unknown() })),
});
type Document = z.infer<typeof document>;

/** What a stack would make of these files. */
async function mocked(stack: string, classes: string, lines: readonly string[]) {
  await writeFile(join(folder, `${stack}-delos.yaml`), `${DELOS}storageClasses: {${classes}: [{name: fast}]}\n`);
  const file = join(folder, `${stack}.yaml`);
  await writeFile(file, ['name: lab', `platform: ${stack}-delos.yaml`, ...lines, ''].join('\n'));
  return execute([process.execPath, join(folder, 'clouds/test/mocked.ts'), stack, file], {
    timeout: 120,
    env: process.env,
  });
}
const whatIsMade = async (...args: Parameters<typeof mocked>): Promise<Document> =>
  document.parse(JSON.parse(await expectOk(mocked(...args))));

const ofType = ({ made }: Document, type: string) => made.filter((each) => each.type === type);
const EKS = ['region: eu-central-1', 'zones: [eu-central-1a, eu-central-1b]'];
const GKE = ['project: my-project', 'location: europe-west4-a'];
const AKS = ['location: westeurope'];

test('they fit the types that the providers publish', async () => {
  const tsc = [process.execPath, join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', '.'];
  const { code, stdout } = await execute(tsc, { cwd: join(folder, 'clouds'), timeout: 300, env: process.env });
  expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
  // And that is looked at: a property that no node group has is refused.
  const file = join(folder, 'clouds/src/aws/nodes.ts');
  const text = await readFile(file, 'utf8');
  await writeFile(file, text.replace('capacityType:', 'capacityKind:'));
  const wrong = await execute(tsc, { cwd: join(folder, 'clouds'), timeout: 300, env: process.env });
  await writeFile(file, text);
  expect(wrong.stdout).toContain("'capacityKind' does not exist in type 'NodeGroupArgs'");
});

describe('the default install', () => {
  test('leaves their packages out', async () => {
    const lock = await readFile(join(ROOT, 'package-lock.json'), 'utf8');
    expect(lock).not.toMatch(/@pulumi\/(aws|gcp|azure)/);
    expect(lock).not.toContain('@delos/clouds');
  });
});

describe('EKS under mocks', () => {
  test('is a private network, a cluster that enforces NetworkPolicies, and a node group for each pool', async () => {
    const result = await whatIsMade('eks', 'awsEbs', [...EKS, 'endpoint: {from: [192.0.2.0/24]}']);
    expect(ofType(result, 'aws:ec2/subnet:Subnet')).toHaveLength(4);
    expect(ofType(result, 'aws:eks/cluster:Cluster')[0]?.inputs).toMatchObject({
      vpcConfig: { endpointPrivateAccess: true, endpointPublicAccess: true, publicAccessCidrs: ['192.0.2.0/24'] },
    });
    const groups = new Map(ofType(result, 'aws:eks/nodeGroup:NodeGroup').map(({ name, inputs }) => [name, inputs]));
    expect([...groups.keys()].sort()).toEqual(['lab-a100', 'lab-cpu', 'lab-delos-system']);
    expect(groups.get('lab-a100')).toMatchObject({
      instanceTypes: ['p4de.24xlarge'],
      amiType: 'AL2023_x86_64_NVIDIA',
      capacityType: 'SPOT',
      scalingConfig: { minSize: 0, maxSize: 4, desiredSize: 0 },
      labels: { 'delos.dev/pool': 'a100' },
      taints: [{ key: 'nvidia.com/gpu', value: 'present', effect: 'NO_SCHEDULE' }],
    });
    expect(groups.get('lab-cpu')).toMatchObject({ labels: { 'delos.dev/pool': 'cpu', team: 'red' }, taints: [] });
    const addons = new Map(ofType(result, 'aws:eks/addon:Addon').map(({ inputs }) => [inputs.addonName, inputs]));
    expect(addons.get('vpc-cni')).toMatchObject({ configurationValues: '{"enableNetworkPolicy":"true"}' });
    expect(addons.get('aws-ebs-csi-driver')).toMatchObject({
      podIdentityAssociations: [{ roleArn: 'arn:lab-disks', serviceAccount: 'ebs-csi-controller-sa' }],
    });
    const { kubeconfig, machines, storageClasses } = result.outputs;
    expect(kubeconfig?.secret).toBe(true);
    expect(JSON.parse(String(kubeconfig?.value))).toMatchObject({
      'current-context': 'delos-lab',
      clusters: [{ cluster: { server: 'https://eks.example', 'certificate-authority-data': 'Y2E=' } }],
      users: [{ user: { exec: { command: 'aws' } } }],
    });
    expect(machines?.value).toMatchObject({ a100: 'p4de.24xlarge' });
    expect(storageClasses?.value).toEqual(['fast']);
  });

  test('answers in the private network alone where that is asked for', async () => {
    const result = await whatIsMade('eks', 'awsEbs', [...EKS, 'endpoint: {private: true}']);
    expect(ofType(result, 'aws:eks/cluster:Cluster')[0]?.inputs).toMatchObject({
      vpcConfig: { endpointPrivateAccess: true, endpointPublicAccess: false },
    });
  });

  test('is refused before anything is made where its files do not fit', async () => {
    const other = await mocked('eks', 'gcpDisk', EKS);
    expect(other.code).not.toBe(0);
    expect(other.stderr).toContain('storageClasses.gcpDisk: its disks are those of another provider');
    expect(other.stdout).toBe('');
    const typo = await mocked('eks', 'awsEbs', [...EKS, 'zone: eu-central-1a']);
    expect(typo.stderr).toMatch(/eks\.yaml:5:1 zone: unknown key `zone`\n {2}did you mean `zones`/);
  });
});

describe('GKE under mocks', () => {
  test('is a private network, a cluster that enforces NetworkPolicies, and a node pool for each pool', async () => {
    const result = await whatIsMade('gke', 'gcpDisk', [...GKE, 'endpoint: {private: true}']);
    expect(ofType(result, 'gcp:container/cluster:Cluster')[0]?.inputs).toMatchObject({
      location: 'europe-west4-a',
      datapathProvider: 'ADVANCED_DATAPATH',
      removeDefaultNodePool: true,
      privateClusterConfig: { enablePrivateNodes: true, enablePrivateEndpoint: true },
    });
    const pools = new Map(ofType(result, 'gcp:container/nodePool:NodePool').map(({ name, inputs }) => [name, inputs]));
    expect([...pools.keys()].sort()).toEqual(['lab-a100', 'lab-cpu', 'lab-delos-system']);
    expect(pools.get('lab-a100')).toMatchObject({
      autoscaling: { totalMinNodeCount: 0, totalMaxNodeCount: 4 },
      nodeConfig: {
        machineType: 'a2-ultragpu-8g',
        spot: true,
        labels: { 'delos.dev/pool': 'a100' },
        guestAccelerators: [{ type: 'nvidia-a100-80gb', count: 8 }],
        kubeletConfig: { podPidsLimit: 4096 },
      },
    });
    expect(result.outputs.kubeconfig?.secret).toBe(true);
    expect(String(result.outputs.kubeconfig?.value)).toContain('gke-gcloud-auth-plugin');
  });
});

describe('AKS under mocks', () => {
  test('is a cluster that enforces NetworkPolicies, and a pool of machines for each pool', async () => {
    const result = await whatIsMade('aks', 'azureDisk', AKS);
    expect(ofType(result, 'azure-native:containerservice:ManagedCluster')[0]?.inputs).toMatchObject({
      networkProfile: { networkPolicy: 'cilium' },
      apiServerAccessProfile: { enablePrivateCluster: false },
      agentPoolProfiles: [
        { name: 'system', mode: 'System', count: 2, nodeLabels: { 'delos.dev/pool': 'delos-system' } },
      ],
    });
    const pools = ofType(result, 'azure-native:containerservice:AgentPool').map(({ inputs }) => inputs);
    expect(pools).toHaveLength(2);
    expect(pools.find(({ agentPoolName }) => agentPoolName === 'a100')).toMatchObject({
      vmSize: 'Standard_ND96amsr_A100_v4',
      scaleSetPriority: 'Spot',
      enableAutoScaling: true,
      minCount: 0,
      maxCount: 4,
      nodeTaints: ['nvidia.com/gpu=present:NoSchedule'],
    });
    expect(result.outputs).toMatchObject({
      context: { value: 'lab' },
      kubeconfig: { secret: true },
      server: { value: 'https://lab.azmk8s.example:443' },
    });
  });
});
