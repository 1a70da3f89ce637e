import { type KubeClient, type Query, Reflector, type ReflectorProps } from '@delos/kube';
import type { Logger } from 'pino';
import { logProblem } from './problems.ts';

export interface ProjectWatchesProps<T> extends Pick<ReflectorProps<T>, 'read' | 'onChange'> {
  readonly client: KubeClient;
  /** `events`. */
  readonly resource: string;
  readonly query: Query;
  readonly log: Logger;
}

/** A project without things may soon have some again. */
const KEPT_MS = 10 * 60_000;

interface Watched {
  readonly stop: AbortController;
  readonly done: Promise<void>;
  usedAt: number;
}

/** Follows a collection in the namespaces of projects where there is something: elsewhere the agent may not read it. */
export class ProjectWatches<T> {
  readonly #props: ProjectWatchesProps<T>;
  readonly #watched = new Map<string, Watched>();

  constructor(props: ProjectWatchesProps<T>) {
    this.#props = props;
  }

  /** Something is there: its namespace is followed from now on. */
  follow(namespace: string): void {
    const known = this.#watched.get(namespace);
    if (known !== undefined) {
      known.usedAt = Date.now();
      return;
    }
    const stop = new AbortController();
    const { client, resource, query, read, onChange, log } = this.#props;
    const path = `/api/v1/namespaces/${namespace}/${resource}`;
    const reflector = new Reflector({ client, path, query, read, onChange, onProblem: logProblem(log, path) });
    this.#watched.set(namespace, { stop, done: reflector.run(stop.signal), usedAt: Date.now() });
  }

  /** Leaves namespaces that have had nothing for a while. */
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
