import { join } from 'node:path';
import { Shipper } from '../../../runtime/service/src/collector/search/shipper.ts';
import type { LogSink } from '../../../runtime/service/src/collector/search/sink.ts';
import { quiet } from '../service/postgres.ts';
import { until } from '../until.ts';
import { type ContainerFiles, containerFiles } from './log-services.ts';
import type { TestVictoriaLogs } from './victoria-logs.ts';

export const SEARCHED_JOB = 'job-00000000-0000-4000-8000-000000000001';
const FACTS = { organization: 'lab', project: 'speech', user: 'ann' };

export type Counts = Record<'sent' | 'resent' | 'refused' | 'lost', number>;

/** A shipper of a node's lines. */
export interface TestShipper {
  readonly counts: Counts;
  /** As a collector ends. What it knew is gone. */
  end(): Promise<void>;
}

/** Carries lines from the folder to the store. */
export function shipping(root: string, node: string, sink: LogSink): TestShipper {
  const stop = new AbortController();
  const counts: Counts = { sent: 0, resent: 0, refused: 0, lost: 0 };
  const add = (name: keyof Counts) => (count: number) => {
    counts[name] += count;
  };
  const shipper = new Shipper({
    root,
    node,
    sink,
    log: quiet,
    counts: {
      sent: add('sent'),
      resent: add('resent'),
      refused: ({ lines }) => add('refused')(lines),
      lost: add('lost'),
    },
    factsOf: async (id) => (id === SEARCHED_JOB ? FACTS : undefined),
  });
  const running = shipper.run(stop.signal);
  return {
    counts,
    end: async () => {
      stop.abort();
      await running;
    },
  };
}

let count = 0;
/** A line of now: what is older than a store keeps is not taken. */
export function criLine(text: string, tag = 'F', output = 'stdout'): string {
  count += 1;
  return `${new Date().toISOString().replace('Z', String(count % 1_000_000).padStart(6, '0'))}Z ${output} ${tag} ${text}\n`;
}

export const podFiles = (root: string, pod: string, container: string): ContainerFiles =>
  containerFiles(join(root, pod, container));

/** Texts of a node's lines, the oldest first. */
export const textsOf = async (store: TestVictoriaLogs, node: string): Promise<readonly string[]> =>
  (await store.query(`{node="${node}"} * | sort by (_time)`)).map(({ _msg = '' }) => _msg);

/** Waits until as many lines are found. */
export const arrived = (
  store: TestVictoriaLogs,
  node: string,
  expected: readonly string[],
  seconds = 30,
): Promise<true> =>
  until('the lines are found', seconds, async (last) => {
    const there = await textsOf(store, node);
    last(there);
    return there.length >= expected.length ? true : undefined;
  });
