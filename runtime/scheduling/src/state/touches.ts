import type { NodeTable } from './node-table.ts';

/** What one event or one cycle touched: its cost follows this, not how much there is. */
export interface Touched {
  /**
   * Jobs that came, left, started, stopped, moved or changed their size, and of each class of waiting jobs that was woken or
   * looked at its oldest, which stands for all of them.
   */
  readonly jobs: number;
  /**
   * Nodes that are others than they were, on which something was taken, freed or tried, or that are open to others than
   * before. A cycle looks anew at those of the events before it, and counts them too.
   */
  readonly nodes: number;
  /** The ids of these jobs, in the order in which they were touched first. */
  readonly jobIds: readonly string[];
  /** The names of these nodes, likewise. */
  readonly nodeNames: readonly string[];
}

/** Keeps what the event or the cycle under way touches. */
export class Touches {
  readonly #table: NodeTable;
  readonly #jobs = new Set<string>();
  /** Nodes of events that no cycle has looked at. */
  readonly #earlier = new Set<number>();
  #inCycle = false;

  constructor(table: NodeTable) {
    this.#table = table;
  }

  job(id: string): void {
    this.#jobs.add(id);
  }

  /** An event begins. */
  begin(): void {
    if (!this.#inCycle) for (const node of this.#table.touched) this.#earlier.add(node);
    this.#inCycle = false;
    this.#jobs.clear();
    this.#table.touched.clear();
  }

  /** A cycle begins. */
  beginCycle(): void {
    this.begin();
    for (const node of this.#earlier) this.#table.touched.add(node);
    this.#earlier.clear();
    this.#inCycle = true;
  }

  /** What has been touched since it began. */
  report(): Touched {
    const jobIds = [...this.#jobs];
    const nodeNames = Array.from(this.#table.touched, (node) => this.#table.lastName(node));
    return { jobs: jobIds.length, nodes: nodeNames.length, jobIds, nodeNames };
  }
}
