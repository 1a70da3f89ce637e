import { isFinished, type TaskStatus } from '../model/records.ts';

/** A task of an attempt. The platform or a client carried it out. Times are in milliseconds since 1970. */
export interface TimedTask {
  /** Whole: those of the calls that it lies in stand before points. */
  readonly id: string;
  readonly needs: readonly string[];
  /** Null: nothing was begun of it. */
  readonly status: TaskStatus | 'unknown' | null;
  readonly begun: number | null;
  readonly running: number | null;
  /** Null: it has not ended. */
  readonly ended: number | null;
}

/** The tasks of a bake by the calls that they lie in. */
export class Nesting<T extends TimedTask> {
  readonly byId: ReadonlyMap<string, T>;
  /** The tasks within a call; under the empty text those within none. */
  readonly within: ReadonlyMap<string, readonly T[]>;
  readonly #calls = new Map<string, string>();

  /** @param calls ids of tasks that others lie in */
  constructor(tasks: readonly T[], calls: ReadonlySet<string>) {
    this.byId = new Map(tasks.map((task) => [task.id, task]));
    for (const { id } of tasks) {
      // Ids that are made up may hold points themselves.
      for (let end = id.lastIndexOf('.'); end > 0; end = id.lastIndexOf('.', end - 1)) {
        const call = id.slice(0, end);
        if (!calls.has(call) || !this.byId.has(call)) continue;
        this.#calls.set(id, call);
        break;
      }
    }
    this.within = Map.groupBy(this.byId.values(), ({ id }) => this.callOf(id) ?? '');
  }

  callOf(id: string): string | undefined {
    return this.#calls.get(id);
  }

  isCall(id: string): boolean {
    return this.within.has(id);
  }
}

export const hasEnded = ({ status }: Pick<TimedTask, 'status'>): boolean =>
  status !== null && status !== 'unknown' && isFinished(status);
