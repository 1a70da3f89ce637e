import { type FromAgent, type JobDesire, jobDesire, MANAGED_BY } from '@delos/core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { secretManifests } from '../../../../runtime/service/src/agent/jobs/job-secrets.ts';
import { JobKeeper } from '../../../../runtime/service/src/agent/jobs/keeper.ts';
import { podManifest } from '../../../../runtime/service/src/agent/jobs/pod-manifest.ts';
import { type Pod, podShape } from '../../../../runtime/service/src/agent/jobs/pod-shape.ts';
import { Namespaces } from '../../../../runtime/service/src/agent/namespaces/namespaces.ts';
import { OnePodCluster } from '../../../support/service/one-pod-cluster.ts';
import { POD_SPEC } from '../../../support/service/pod-spec.ts';
import { quiet } from '../../../support/service/postgres.ts';
import { until } from '../../../support/until.ts';

/* Secrets of a job in its cluster. */

const JOB = 'job-00000000-0000-4000-8000-000000000001';
const VALUE = Buffer.from('s3cr3t').toString('base64');
const SECRETS = [
  { org: 'o', project: 'p', key: 'token', env: ['TOKEN', 'ALSO'], files: ['/run/token'] },
  { org: 'o', project: 'p', key: 'cert', env: [], files: ['/etc/cert.pem', '/etc/other.pem'] },
];

const desire = (given: object = {}): JobDesire =>
  jobDesire.parse({
    kind: 'job',
    id: JOB,
    revision: 1,
    spec: {
      action: 'run',
      run: 2,
      pod: { ...POD_SPEC, env: { A: 'b$' }, secrets: SECRETS },
      secretValues: [{ value: VALUE }, { value: 'AAE=' }],
      ...given,
    },
  });

describe('the Pod', () => {
  const pod = podManifest(desire(), 'default', undefined) as {
    readonly spec: {
      readonly containers: readonly { readonly env: readonly object[]; readonly volumeMounts: readonly object[] }[];
      readonly volumes: readonly object[];
    };
  };

  test('names its secrets and holds no value', () => {
    const [container] = pod.spec.containers;
    const ref = (name: string, index: number): object => ({
      name,
      valueFrom: { secretKeyRef: { name: `${JOB}-r2-${index}`, key: 'value' } },
    });
    expect(container?.env).toEqual(
      expect.arrayContaining([{ name: 'A', value: 'b$$' }, ref('TOKEN', 0), ref('ALSO', 0)]),
    );
    expect(pod.spec.volumes).toEqual([
      { name: 'secret-0', secret: { secretName: `${JOB}-r2-0`, defaultMode: 0o444 } },
      { name: 'secret-1', secret: { secretName: `${JOB}-r2-1`, defaultMode: 0o444 } },
    ]);
    expect(container?.volumeMounts).toEqual([
      { name: 'secret-0', mountPath: '/run/token', subPath: 'value', readOnly: true },
      { name: 'secret-1', mountPath: '/etc/cert.pem', subPath: 'value', readOnly: true },
      { name: 'secret-1', mountPath: '/etc/other.pem', subPath: 'value', readOnly: true },
    ]);
    expect(JSON.stringify(pod)).not.toContain(VALUE);
  });

  test('is pulled by its own Secret where the project has credentials, and tells which they are', () => {
    const job = desire({
      secretValues: undefined,
      registryAuth: { secret: 'registry-auth-x', config: '{"auths":{}}' },
    });
    expect(podManifest(job, 'default', undefined)).toMatchObject({
      metadata: { annotations: { 'delos.dev/registry-secret': 'registry-auth-x' } },
      spec: { imagePullSecrets: [{ name: `${JOB}-r2-pull` }] },
    });
    expect(secretManifests(job, 'uid')).toEqual([
      expect.objectContaining({
        metadata: expect.objectContaining({ name: `${JOB}-r2-pull` }),
        type: 'kubernetes.io/dockerconfigjson',
        data: { '.dockerconfigjson': Buffer.from('{"auths":{}}').toString('base64') },
      }),
    ]);
  });

  test('has a variable once, the secret one, where the platform would set it too', () => {
    const secrets = [{ org: 'o', project: 'p', key: 'k', env: ['NEURO_JOB_ID'], files: [] }];
    const job = desire({ pod: { ...POD_SPEC, secrets }, secretValues: [{ value: VALUE }] });
    const { spec } = podManifest(job, 'default', undefined) as typeof pod;
    expect(spec.containers[0]?.env).toEqual([
      { name: 'NEURO_JOB_ID', valueFrom: { secretKeyRef: { name: `${JOB}-r2-0`, key: 'value' } } },
    ]);
  });
});

describe('the agent', () => {
  let cluster: OnePodCluster;
  let sent: FromAgent[];
  let keeper: JobKeeper;
  beforeAll(async () => {
    cluster = await OnePodCluster.start();
  });
  afterAll(() => cluster.stop());
  beforeEach(() => {
    cluster.reset();
    sent = [];
    keeper = keeperOf();
  });

  function keeperOf(): JobKeeper {
    const namespaces = new Namespaces(cluster.client, { platformNamespace: 'delos', dnsAddresses: [] });
    namespaces.close([]);
    const made: JobKeeper = new JobKeeper({
      client: cluster.client,
      cluster: 'default',
      onlyPool: undefined,
      fileVolume: undefined,
      wayOut: { proxy: undefined, authorities: false },
      namespaces,
      log: quiet,
      send: (message) => sent.push(message),
      connected: () => true,
      keepPod: (object): Pod => {
        const pod = podShape.parse(object);
        made.podChanged(pod, false);
        return pod;
      },
      lastEvent: () => undefined,
      standIns: new Map(),
      imageSource: async () => undefined,
    });
    made.podsListed();
    return made;
  }

  const secretsThere = (): Promise<unknown> =>
    until('both Secrets are there', 10, async () => (cluster.secrets.size === 2 ? true : undefined));
  const phases = (): readonly string[] =>
    sent.flatMap((message) =>
      message.type === 'observation' && message.kind === 'job' ? [message.observation.phase] : [],
    );

  test('makes one Secret for each, which the Pod owns', async () => {
    keeper.desire(desire());
    await secretsThere();
    const [pod] = cluster.pods;
    expect([...cluster.secrets.values()]).toEqual(
      [VALUE, 'AAE='].map((value, index) => ({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: {
          name: `${JOB}-r2-${index}`,
          namespace: POD_SPEC.namespace,
          labels: { ...MANAGED_BY },
          ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: JOB, uid: pod?.metadata.uid }],
        },
        type: 'Opaque',
        immutable: true,
        data: { value },
      })),
    );
  });

  test('tells nothing of a Pod that waits for its Secrets, and makes them however often that fails', async () => {
    cluster.refusals = 3;
    keeper.desire(desire());
    await until('the Pod is there', 10, async () => (cluster.pods.length === 1 ? true : undefined));
    expect(phases()).toEqual([]);
    await secretsThere();
    await until('it is told of', 10, async () => (phases().includes('pending') ? true : undefined));
  });

  test('goes on where another was killed between Pod and Secrets', async () => {
    cluster.refusals = 1_000;
    keeper.desire(desire());
    await until('the Pod is there', 10, async () => (cluster.pods.length === 1 ? true : undefined));
    keeper.forget(JOB);
    cluster.refusals = 0;
    const next = keeperOf();
    next.desire(desire());
    for (const pod of cluster.pods) next.podChanged(pod, false);
    await secretsThere();
  });

  test('makes no Pod of a job whose secret is gone, and says why', async () => {
    keeper.desire(desire({ secretValues: [{ value: VALUE }, { problem: 'secret "cert" was removed' }] }));
    const told = await until('it is told', 10, async () => sent.find(({ type }) => type === 'observation'));
    expect(told).toMatchObject({
      observation: { phase: 'failed', reason: 'CannotStart', description: 'secret "cert" was removed' },
    });
    expect([cluster.pods, cluster.secrets.size]).toEqual([[], 0]);
  });
});
