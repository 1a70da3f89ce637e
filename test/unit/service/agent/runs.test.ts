import type { FromAgent, JobDesire } from '@delos/core';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { JobKeeper } from '../../../../runtime/service/src/agent/jobs/keeper.ts';
import { podShape } from '../../../../runtime/service/src/agent/jobs/pod-shape.ts';
import { Namespaces } from '../../../../runtime/service/src/agent/namespaces/namespaces.ts';
import { desiredOf } from '../../../../runtime/service/src/db/desired-jobs.ts';
import { nextState } from '../../../../runtime/service/src/db/job-machine.ts';
import type { JobEvent, JobState } from '../../../../runtime/service/src/db/job-state.ts';
import type { JobRow } from '../../../../runtime/service/src/db/schema.ts';
import { QUEUED } from '../../../support/service/job-states.ts';
import { OnePodCluster } from '../../../support/service/one-pod-cluster.ts';
import { POD_SPEC } from '../../../support/service/pod-spec.ts';
import { quiet } from '../../../support/service/postgres.ts';

/*
 * One job's row, the agent and its Pods, with all that lies between: messages and watch events come late, are lost with their
 * connection, the agent is killed and the node drained at any instant.
 */

const ID = 'job-00000000-0000-4000-8000-000000000001';
const { pool: _pool, node: _node, ...SPEC } = POD_SPEC;
/** What happens all the time, and what does not. */
const OFTEN = ['kubelet', 'watch', 'tell', 'hear', 'admit', 'preempt', 'seal'] as const;
const SELDOM = ['sweep', 'lose', 'restart', 'finish', 'evict'] as const;
type StepName = (typeof OFTEN)[number] | (typeof SELDOM)[number] | 'kill';
const anyStep = fc.oneof(
  { weight: 30, arbitrary: fc.constantFrom<StepName>(...OFTEN) },
  { weight: 3, arbitrary: fc.constantFrom<StepName>(...SELDOM) },
);

let cluster: OnePodCluster;
beforeAll(async () => {
  cluster = await OnePodCluster.start();
});
afterAll(() => cluster.stop());

class World {
  state: JobState = { ...QUEUED, comesBack: true };
  /** Pods that were put out before the control plane had heard of them. */
  putOutUnseen = 0;
  #revision = 0;
  #keeper: JobKeeper | undefined;
  /** Changes that the agent is yet to be told of; it is told what is desired then. */
  #untold = 0;
  #toApi: FromAgent[] = [];

  constructor() {
    cluster.reset();
    this.#restart();
  }

  async step(name: StepName): Promise<void> {
    switch (name) {
      case 'kubelet':
      case 'finish':
        cluster.kubelet(name === 'finish');
        break;
      case 'evict':
        if (cluster.pods.some(({ metadata }) => metadata.uid !== this.state.podUid)) this.putOutUnseen += 1;
        cluster.evict();
        break;
      case 'watch':
        this.#watch();
        break;
      case 'tell':
        this.#tell();
        break;
      case 'hear':
        this.#hear(this.#toApi.shift());
        break;
      case 'sweep':
        this.#keeper?.sweep();
        break;
      case 'lose':
        this.#connect();
        break;
      case 'restart':
        this.#restart();
        break;
      case 'admit':
        this.apply({ type: 'admit', pool: 'default', node: 'node-1', description: '' });
        break;
      case 'preempt':
        this.apply({ type: 'preempt', run: this.state.run, description: '' });
        break;
      case 'seal':
        this.apply({ type: 'seal', complete: true });
        break;
      case 'kill':
        this.apply({ type: 'stop', status: 'cancelled', reason: 'Killed', description: '' });
        break;
    }
    await cluster.settle();
  }

  apply(event: JobEvent): void {
    const next = nextState(this.state, event, new Date());
    if (next === undefined) return;
    if (next.phase !== this.state.phase) this.#revision += 1;
    this.state = next;
    if (next.phase !== 'queued') this.#untold += 1;
  }

  #desired(): JobDesire | undefined {
    const { phase, pool, podUid, run, plannedNode } = this.state;
    const facts = { id: ID, revision: this.#revision, spec: SPEC };
    return desiredOf({ ...facts, phase, pool, pod_uid: podUid, run, planned_node: plannedNode } as JobRow);
  }

  #tell(): void {
    if (this.#untold === 0) return;
    this.#untold -= 1;
    const job = this.#desired();
    if (job === undefined) this.#keeper?.forget(ID);
    else this.#keeper?.desire(job);
  }

  #hear(message: FromAgent | undefined): void {
    if (message?.type === 'observation' && message.kind === 'job') {
      this.apply({ type: 'observe', observation: message.observation });
      this.#keeper?.ack(ID, message.seq);
    }
    if (message?.type === 'removed' && message.kind === 'job') {
      this.apply({ ...message });
      this.#untold += 1;
    }
  }

  /** In their order, though calls may have shown what is newer. */
  #watch(): void {
    const event = cluster.events.shift();
    if (event !== undefined) this.#keeper?.podChanged(event.pod, event.gone);
  }

  /** The connection is lost, with all that was on its way, and there again. */
  #connect(): void {
    this.#untold = 0;
    this.#toApi = [];
    const job = this.#desired();
    if (job !== undefined) this.#keeper?.desire(job);
    this.#keeper?.sync(job === undefined ? [] : [job.id]);
  }

  #restart(): void {
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
      // One that was killed says nothing any more.
      send: (message) => this.#keeper === keeper && this.#toApi.push(message),
      connected: () => this.#keeper === keeper,
      keepPod: (object) => {
        const pod = podShape.parse(object);
        if (this.#keeper === keeper) keeper.podChanged(pod, false);
        return pod;
      },
      lastEvent: () => undefined,
      standIns: new Map(),
      imageSource: async () => undefined,
    });
    this.#keeper = keeper;
    cluster.events = [];
    for (const pod of cluster.pods) keeper.podChanged(pod, false);
    keeper.podsListed();
    this.#connect();
  }
}

test('whatever is late, lost or killed: each run has one Pod, made when the one before is gone, and the job comes to its end', async () => {
  let runs = 0;
  const anySteps = fc.array(anyStep, { minLength: 100, maxLength: 400, size: 'max' });
  const anyKill = fc.option(fc.nat(400), { freq: 4 });
  await fc.assert(
    fc.asyncProperty(anySteps, anyKill, async (steps, kill) => {
      const world = new World();
      for (const [index, step] of steps.entries()) {
        await world.step(step);
        if (index === kill) await world.step('kill');
      }
      for (let round = 0; round < 60 && world.state.phase !== 'gone'; round += 1) {
        for (const step of ['admit', 'seal', 'kubelet', 'finish', 'watch', 'watch', 'tell', 'hear', 'hear'] as const) {
          await world.step(step);
        }
        if (round % 10 === 9) await world.step('sweep');
      }
      const { phase, status, run } = world.state;
      expect(phase).toBe('gone');
      // However often it was preempted, it ends as its container did by itself, or as its user wished.
      expect(status).toBe(cluster.finished && status !== 'cancelled' ? 'succeeded' : 'cancelled');
      if (kill === null) expect(status).toBe('succeeded');
      // In their order, none twice, unless nobody who is left had seen it; one that was called off in time has none.
      expect(cluster.made).toEqual(cluster.made.toSorted((a, b) => a - b));
      expect(cluster.made.length - new Set(cluster.made).size).toBeLessThanOrEqual(world.putOutUnseen);
      expect(cluster.made.at(-1) ?? 0).toBeLessThanOrEqual(run);
      expect(cluster.pods).toEqual([]);
      runs += cluster.made.length;
    }),
    { numRuns: 100 },
  );
  expect(runs).toBeGreaterThan(120);
});
