import { CLUSTER_LABEL, JOB_LABEL } from '@delos/core';
import { Reflector } from '@delos/kube';
import type { KeeperContext, KeeperPart } from '../keeper.ts';
import { logProblem } from '../problems.ts';
import { ProjectWatches } from '../project-watches.ts';
import { JobKeeper } from './keeper.ts';
import { PodEvents } from './pod-events.ts';
import { eventShape, type Pod, podShape } from './pod-shape.ts';
import { UsageReports } from './usage-reports.ts';

/** The keeper of jobs, with a watch of their Pods and of what is told about those. */
export function jobKeeper(context: KeeperContext): KeeperPart<'job'> {
  const { client, cluster, log, namespaces } = context;
  const events = new PodEvents();
  const jobs = new JobKeeper({
    ...context,
    keepPod: (object) => pods.put(object),
    lastEvent: (uid) => events.lastOf(uid),
  });
  const pods: Reflector<Pod> = new Reflector({
    client,
    path: '/api/v1/pods',
    query: { labelSelector: `${JOB_LABEL},${CLUSTER_LABEL}=${cluster}` },
    read: context.read(podShape),
    onChange: (pod, gone) => {
      jobs.podChanged(pod, gone);
      if (gone) return;
      namespaces.found(pod.metadata.namespace ?? '');
      projectEvents.follow(pod.metadata.namespace ?? '');
    },
    onListed: () => jobs.podsListed(),
    onProblem: logProblem(log, '/api/v1/pods'),
  });
  const projectEvents = new ProjectWatches({
    client,
    resource: 'events',
    query: { fieldSelector: 'involvedObject.kind=Pod' },
    read: (object) => events.read(eventShape.safeParse(object).data),
    onChange: (event, gone) => {
      const uid = event.involvedObject.uid;
      const pod = jobs.podOf(event.involvedObject.name);
      if (!gone && events.put(event) && pod?.metadata.uid === uid) jobs.podChanged(pod, false);
    },
    log,
  });
  const usage = new UsageReports({
    client,
    pods: () => pods.values(),
    send: context.send,
    connected: context.connected,
    log,
  });
  return {
    keeper: {
      kind: 'job',
      sync: (ids) => jobs.sync(ids),
      desire: (desire) => jobs.desire(desire),
      forget: (id) => jobs.forget(id),
      ack: (id, seq) => jobs.ack(id, seq),
      sweep: () => {
        jobs.sweep();
        projectEvents.retire(new Set([...pods.values()].map(({ metadata }) => metadata.namespace ?? '')));
      },
      get size() {
        return jobs.size;
      },
    },
    run: async (signal) => {
      await Promise.all([pods.run(signal), usage.run(signal)]);
      await projectEvents.close();
    },
    problem: () => pods.problem,
    podOf: (id) => jobs.podOf(id),
  };
}
