import { setTimeout as sleep } from 'node:timers/promises';
import { JOB_LABEL, type UsageReport } from '@delos/core';
import { isKubeError, type KubeClient } from '@delos/kube';
import type { Logger } from 'pino';
import { z } from 'zod';
import { CONTAINER } from '../container-name.ts';
import type { Pod } from './pod-shape.ts';
import { readUsage } from './usage.ts';

/** metrics-server measures every 15 s by default. */
const REPORT_MS = 10_000;
/** Where nothing measures, it is asked again after so long. */
const UNMEASURED_MS = 300_000;

const podMetricsList = z.object({ items: z.array(z.looseObject({ metadata: z.object({ name: z.string() }) })) });

export interface UsageReportsProps {
  readonly client: Pick<KubeClient, 'get'>;
  /** Pods of jobs, as they are now. */
  readonly pods: () => Iterable<Pod>;
  readonly send: (report: UsageReport) => void;
  readonly connected: () => boolean;
  readonly log: Logger;
}

/** Tells what running jobs use: one question for each project's namespace, however many read the answer. */
export class UsageReports {
  readonly #props: UsageReportsProps;
  /** Job → time of the measurement that was told last. */
  #told = new Map<string, number>();

  constructor(props: UsageReportsProps) {
    this.#props = props;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      let pause = REPORT_MS;
      try {
        if (this.#props.connected() && !(await this.report())) pause = UNMEASURED_MS;
      } catch (error) {
        this.#props.log.warn({ error }, 'what jobs use could not be reported');
      }
      await sleep(pause, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Tells each measurement that was not told. @returns false where the cluster measures nothing */
  async report(): Promise<boolean> {
    const { client, pods, send } = this.#props;
    const told = new Map<string, number>();
    const jobs: UsageReport['jobs'] = [];
    for (const [namespace = '', running] of Map.groupBy(runningOf(pods()), ({ metadata }) => metadata.namespace)) {
      const names = new Set(running.map(({ metadata }) => metadata.name));
      let answer: unknown;
      try {
        const path = `/apis/metrics.k8s.io/v1beta1/namespaces/${namespace}/pods`;
        answer = await client.get(path, { labelSelector: JOB_LABEL });
      } catch (error) {
        if (isKubeError(error, 404)) return false;
        throw error;
      }
      for (const item of podMetricsList.parse(answer).items) {
        const id = item.metadata.name;
        const usage = names.has(id) ? readUsage(item) : undefined;
        if (usage === undefined) continue;
        told.set(id, usage.timestamp);
        if (this.#told.get(id) !== usage.timestamp) jobs.push({ id, usage });
      }
    }
    this.#told = told;
    if (jobs.length > 0) send({ type: 'usage', jobs });
    return true;
  }
}

/** Those whose container runs. A Pod of a job has the job's id as its name. */
function runningOf(pods: Iterable<Pod>): readonly Pod[] {
  return [...pods].filter(({ status }) =>
    status.containerStatuses.some(({ name, state }) => name === CONTAINER && state.running !== undefined),
  );
}
