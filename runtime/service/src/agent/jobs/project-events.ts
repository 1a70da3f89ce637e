import { type KubeClient, Reflector, type ReflectorProps } from '@delos/kube';
import type { Logger } from 'pino';
import { logProblem } from '../problems.ts';
import type { KubeEvent } from './pod-shape.ts';

export interface ProjectEventsProps extends Pick<ReflectorProps<KubeEvent>, 'read' | 'onChange'> {
  readonly client: KubeClient;
  readonly log: Logger;
}

/** A project without Pods may soon have some again. */
const KEPT_MS = 10 * 60_000;

interface Watched {
  readonly stop: AbortController;
  readonly done: Promise<void>;
  usedAt: number;
}

/** Follows what is told about Pods, in the namespaces where there are jobs: elsewhere the agent may read no events. */
export class ProjectEvents {
  readonly #props: ProjectEventsProps;
  readonly #watched = new Map<string, Watched>();

  constructor(props: ProjectEventsProps) {
    this.#props = props;
  }

  /** A job's Pod is there: its namespace is followed from now on. */
  follow(namespace: string): void {
    const known = this.#watched.get(namespace);
    if (known !== undefined) {
      known.usedAt = Date.now();
      return;
    }
    const stop = new AbortController();
    const { client, read, onChange, log } = this.#props;
    const path = `/api/v1/namespaces/${namespace}/events`;
    const reflector = new Reflector({
      client,
      path,
      query: { fieldSelector: 'involvedObject.kind=Pod' },
      read,
      onChange,
      onProblem: logProblem(log, path),
    });
    this.#watched.set(namespace, { stop, done: reflector.run(stop.signal), usedAt: Date.now() });
  }

  /** Leaves namespaces that have had no Pod of a job for a while. */
  retire(inUse: ReadonlySet<string>): void {
    for (const [namespace, watched] of this.#watched) {
      if (inUse.has(namespace)) watched.usedAt = Date.now();
      if (Date.now() - watched.usedAt < KEPT_MS) continue;
      this.#watched.delete(namespace);
      watched.stop.abort();
    }
  }

  async close(): Promise<void> {
    const all = [...this.#watched.values()];
    this.#watched.clear();
    for (const { stop } of all) stop.abort();
    await Promise.all(all.map(({ done }) => done));
  }
}
