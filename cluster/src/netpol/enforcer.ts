import type { Nft } from './nft.ts';
import { renderChange, renderTable, type Table } from './table.ts';

export interface EnforcerOptions {
  readonly nft: Nft;
  /** What should be in the kernel now. Pure and quick: called for each transaction. */
  readonly wanted: () => Table;
  readonly log: (message: string) => void;
}

export interface EnforcerCounters {
  /** Transactions that changed something. */
  readonly transactions: number;
  readonly wholeTables: number;
  readonly failures: number;
  /** Times that somebody else had changed the table. */
  readonly drifts: number;
  /** Of the last transaction, compile and nft together, ms. */
  readonly lastMs: number;
  readonly lastError: string | undefined;
}

/**
 * Keeps the kernel's table what it should be: one transaction at a time, each from what is known to be there, so that
 * requests that come while one runs share the next. Rules stay as they are when it fails or the process dies.
 */
export class Enforcer {
  readonly #options: EnforcerOptions;
  /** What the kernel is known to have; undefined: only a whole table will do. */
  #applied: Table | undefined;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #counters = {
    transactions: 0,
    wholeTables: 0,
    failures: 0,
    drifts: 0,
    lastMs: 0,
    lastError: undefined as string | undefined,
  };

  constructor(options: EnforcerOptions) {
    this.#options = options;
  }

  get counters(): EnforcerCounters {
    return { ...this.#counters };
  }

  get applied(): Table | undefined {
    return this.#applied;
  }

  /** Resolves when what is wanted at this call, or later, is in the kernel. @throws DelosError when nft refuses it */
  async flush(): Promise<void> {
    return this.#serially(() => this.#transaction());
  }

  /** Reads the table back, and repairs it if it is not what was last put there. */
  async audit(name: string): Promise<void> {
    // Not shared like a flush: it waits for its turn.
    while (this.#running !== undefined) await this.#running.catch(() => undefined);
    return this.#serially(async () => {
      const listed = await this.#options.nft.list(name);
      const expected = this.#applied;
      const repair = listed && expected && renderChange(listed, expected);
      if (repair === '') return;
      if (expected !== undefined) {
        this.#counters.drifts++;
        this.#options.log(`table ${name} is not as it was left: ${describe(repair)}`);
      }
      this.#applied = undefined;
      await this.#transaction();
    });
  }

  /** What a former process left in the kernel is taken as the start, so that a restart changes nothing. */
  async adopt(name: string, closed: Table): Promise<void> {
    this.#applied = await this.#options.nft.list(name);
    if (this.#applied !== undefined) return;
    await this.#options.nft.apply(renderTable(closed));
    this.#applied = closed;
  }

  #serially(work: () => Promise<void>): Promise<void> {
    if (this.#running === undefined) {
      this.#running = work().finally(() => {
        this.#running = undefined;
      });
      return this.#running;
    }
    this.#next ??= this.#running
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined;
        return this.#serially(() => this.#transaction());
      });
    return this.#next;
  }

  async #transaction(): Promise<void> {
    const started = performance.now();
    const wanted = this.#options.wanted();
    const change = this.#applied && renderChange(this.#applied, wanted);
    if (change === '') return;
    try {
      await this.#apply(change, wanted);
      this.#applied = wanted;
      this.#counters.transactions++;
      this.#counters.lastError = undefined;
    } catch (error) {
      this.#applied = undefined;
      this.#counters.failures++;
      this.#counters.lastError = error instanceof Error ? error.message : String(error);
      throw error;
    } finally {
      this.#counters.lastMs = performance.now() - started;
    }
  }

  async #apply(change: string | undefined, wanted: Table): Promise<void> {
    if (change !== undefined) {
      try {
        return await this.#options.nft.apply(change);
      } catch (error) {
        // Somebody else has had his hands on the table: the whole of it always fits.
        this.#options.log(`a change does not fit: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    await this.#options.nft.apply(renderTable(wanted));
    this.#counters.wholeTables++;
  }
}

function describe(repair: string | undefined): string {
  if (repair === undefined) return 'it is gone or its base chains differ';
  const lines = repair.trim().split('\n');
  return `${lines.length} repairs, first: ${(lines[0] ?? '').slice(0, 120)}`;
}
