import type { FromAgent } from '@delos/core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { JobKeeper } from '../../../../runtime/service/src/agent/jobs/keeper.ts';
import { podShape } from '../../../../runtime/service/src/agent/jobs/pod-shape.ts';
import { Namespaces } from '../../../../runtime/service/src/agent/namespaces/namespaces.ts';
import { imageSource } from '../../../../runtime/service/src/image-source.ts';
import { OnePodCluster } from '../../../support/service/one-pod-cluster.ts';
import { POD_SPEC } from '../../../support/service/pod-spec.ts';
import { quiet } from '../../../support/service/postgres.ts';
import { until } from '../../../support/until.ts';

const JOB = 'job-00000000-0000-4000-8000-000000000001';
let cluster: OnePodCluster;
beforeAll(async () => {
  cluster = await OnePodCluster.start();
});
afterAll(() => cluster.stop());

function keeperOf(sent: FromAgent[]): JobKeeper {
  const namespaces = new Namespaces(cluster.client, { platformNamespace: 'delos', dnsAddresses: [] });
  namespaces.close([]);
  const keeper: JobKeeper = new JobKeeper({
    client: cluster.client,
    cluster: 'default',
    onlyPool: undefined,
    fileVolume: undefined,
    wayOut: { proxy: undefined, authorities: false },
    namespaces,
    log: quiet,
    send: (message) => sent.push(message),
    connected: () => true,
    keepPod: (object) => podShape.parse(object),
    lastEvent: () => undefined,
    standIns: new Map(),
    // The name led elsewhere when the job was submitted.
    imageSource: imageSource({
      allowed: [],
      resolve: async (host) => [host === 'moved.example' ? '10.0.0.1' : '93.184.215.14'],
    }),
  });
  keeper.podsListed();
  return keeper;
}

function desire(keeper: JobKeeper, image: string): void {
  keeper.desire({
    kind: 'job',
    id: JOB,
    revision: 1,
    spec: {
      action: 'run',
      graceSeconds: 15,
      run: 0,
      podUid: null,
      pod: { ...POD_SPEC, image },
    },
  });
}

test('a registry that leads into the cluster when the Pod is to be made ends the job, and no Pod is made', async () => {
  const sent: FromAgent[] = [];
  desire(keeperOf(sent), 'moved.example/x');
  const told = await until('the job is told as failed', 10, async () =>
    sent.find(({ type }) => type === 'observation'),
  );
  expect(told).toMatchObject({
    id: JOB,
    observation: {
      phase: 'failed',
      reason: 'ErrImagePull',
      description: expect.stringMatching(/^images of registry moved\.example cannot be used here/),
    },
  });
  expect(cluster.made).toEqual([]);
});

test('a registry that leads to the internet is asked', async () => {
  desire(keeperOf([]), 'public.example/x');
  await until('its Pod is made', 10, async () => cluster.made.length > 0 || undefined);
  expect(cluster.pods[0]?.spec.containers[0]?.image).toBe('public.example/x');
});
