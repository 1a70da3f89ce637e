import {
  Book,
  GRANTS,
  grant,
  hold,
  holdAccount,
  holdOf,
  lawsBroken,
  organizationAccount,
  type Prices,
  priceAt,
  REVENUE,
  type Run,
  type Settled,
  settle,
  settledBy,
  type Terms,
  type Transaction,
  UNSETTLED,
} from '@delos/ledger';
import fc from 'fast-check';
import { expect } from 'vitest';

/*
 * A random history of runs and of whoever charges them: several chargers that read at different times, are killed between
 * reading and writing, and write again what they wrote before. What each run cost is counted beside it second by second.
 */

export const TERMS: Terms = { holdSeconds: 40, chargeSeconds: 15, refundSeconds: 25 };
const PAYER = organizationAccount('lab');
const START = 1_000;

/** What happens next; numbers choose among what there is. */
type Event =
  | { readonly type: 'wait'; readonly seconds: number }
  | { readonly type: 'admit'; readonly lifeSpan: number | undefined }
  | { readonly type: 'start'; readonly which: number }
  /** Its end is seen, perhaps as one in the past. */
  | { readonly type: 'end'; readonly which: number; readonly ago: number; readonly takenAway: boolean }
  /** The end was another one. */
  | { readonly type: 'correct'; readonly which: number; readonly ago: number }
  | { readonly type: 'over'; readonly which: number }
  | { readonly type: 'price'; readonly price: bigint; readonly ahead: number }
  | { readonly type: 'grant'; readonly grains: bigint; readonly key: number }
  /** A charger reads a run, and holds what it would write. */
  | { readonly type: 'read'; readonly which: number }
  /** One of those writes, perhaps a second time. Whoever never does was killed. */
  | { readonly type: 'write'; readonly which: number };

const which = fc.nat(1_000);
const ago = fc.oneof(fc.constant(0), fc.nat(60));
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ type: fc.constant('wait' as const), seconds: fc.integer({ min: 1, max: 30 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant('admit' as const), lifeSpan: fc.option(fc.nat(60), { nil: undefined }) }),
  },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('start' as const), which }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('end' as const), which, ago, takenAway: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('correct' as const), which, ago }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('over' as const), which }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('price' as const),
      price: fc.bigInt({ min: 0n, max: 9n }),
      ahead: fc.nat(40),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('grant' as const),
      grains: fc.bigInt({ min: -50n, max: 500n }),
      key: fc.nat(3),
    }),
  },
  { weight: 6, arbitrary: fc.record({ type: fc.constant('read' as const), which }) },
  { weight: 8, arbitrary: fc.record({ type: fc.constant('write' as const), which }) },
);
const BEGIN: readonly Event[] = [0, 1].flatMap((which) => [
  { type: 'admit', lifeSpan: undefined },
  { type: 'start', which },
]);
const history = fc.array(event, { minLength: 20, maxLength: 60 }).map((events) => [...BEGIN, ...events]);

interface Known {
  run: Omit<Run, 'prices'>;
  settled: Settled;
}

interface Read {
  readonly of: Known;
  readonly run: Run;
  readonly settled: Settled;
  readonly transactions: readonly Transaction[];
}

class World {
  readonly book = new Book();
  now = START;
  prices: Prices = [{ from: START, price: 3n }];
  granted = 0n;
  readonly runs: Known[] = [];
  readonly #reads: Read[] = [];

  apply(event: Event): void {
    switch (event.type) {
      case 'wait':
        this.now += event.seconds;
        return;
      case 'admit':
        this.#admit(event.lifeSpan);
        return;
      case 'start':
        this.#change(event.which, ({ run }) =>
          run.started === undefined && run.ended === undefined ? { started: this.now } : undefined,
        );
        return;
      case 'end':
        this.#change(event.which, ({ run: { started, ended } }) =>
          ended === undefined
            ? { ended: Math.max(started ?? this.now, this.now - event.ago), takenAway: event.takenAway }
            : undefined,
        );
        return;
      case 'correct':
        this.#change(event.which, ({ run: { started, ended } }) =>
          ended === undefined ? undefined : { ended: Math.max(started ?? this.now, this.now - event.ago) },
        );
        return;
      case 'over':
        this.#change(event.which, ({ run }) => (run.ended === undefined ? undefined : { over: true }));
        return;
      case 'price': {
        const last = this.prices.at(-1)?.from ?? START;
        this.prices = [...this.prices, { from: Math.max(last, this.now) + 1 + event.ahead, price: event.price }];
        return;
      }
      case 'grant': {
        const asked = { key: String(event.key), at: this.now, by: 'ann', why: 'a test' };
        if (event.grains !== 0n && this.book.write([grant(PAYER, event.grains, asked)])) this.granted += event.grains;
        return;
      }
      case 'read':
        this.#read(event.which);
        return;
      case 'write':
        this.#write(event.which);
        return;
    }
  }

  /** Everything ends, and a charger that nobody kills comes by until there is nothing left to write. */
  finish(): void {
    for (const [index, { run }] of this.runs.entries()) {
      if (run.ended === undefined) this.#change(index, () => ({ ended: this.now }));
      this.#change(index, () => ({ over: true }));
      this.#read(index);
      this.#write(0);
    }
  }

  /** Credits that a run has cost, counted second by second. */
  shouldHaveCost({ run }: Known): bigint {
    const { started, ended, takenAway } = run;
    let sum = 0n;
    for (let second = started ?? Infinity; second < (ended ?? this.now); second += 1) {
      const refunded = takenAway && ended !== undefined && second >= ended - TERMS.refundSeconds;
      if (!refunded) sum += priceAt(this.prices, second);
    }
    return sum;
  }

  #admit(lifeSpan: number | undefined): void {
    const job = `job-${Math.floor(this.runs.length / 2)}`;
    const run = { job, run: this.runs.length % 2, payer: PAYER };
    const known: Known = {
      run: { ...run, started: undefined, ended: undefined, over: false, takenAway: false },
      settled: UNSETTLED,
    };
    const grains = holdOf(this.prices, this.now, TERMS, lifeSpan);
    if (grains > 0n) {
      const held = hold(run, grains, this.now);
      this.book.write([held]);
      known.settled = settledBy({ ...known.run, prices: this.prices }, UNSETTLED, [held]);
    }
    this.runs.push(known);
  }

  #change(which: number, change: (known: Known) => Partial<Known['run']> | undefined): void {
    const known = this.runs[which % Math.max(1, this.runs.length)];
    if (known === undefined || known.run.over) return;
    known.run = { ...known.run, ...change(known) };
  }

  #read(which: number): void {
    const of = this.runs[which % Math.max(1, this.runs.length)];
    if (of === undefined) return;
    const run = { ...of.run, prices: this.prices };
    this.#reads.push({ of, run, settled: of.settled, transactions: settle(run, of.settled, this.now, TERMS) });
  }

  /**
   * What closes a run is written only where nothing was written of it since it was read: in PostgreSQL its row is locked from one to
   * the other. A charge of a run that goes on has no such lock here, and relies on its key alone.
   */
  #write(which: number): void {
    const read = this.#reads.at(-1 - (which % Math.max(1, Math.min(8, this.#reads.length))));
    if (read === undefined || read.transactions.some(({ key }) => this.book.has(key))) {
      if (read !== undefined && this.book.write(read.transactions)) throw new Error('written twice');
      return;
    }
    if (read.of.settled.closed || (read.run.over && read.of.settled !== read.settled)) return;
    this.book.write(read.transactions);
    read.of.settled = settledBy(read.run, read.of.settled, read.transactions);
  }
}

/** What is left of a run's hold. */
const heldBy = (world: World, { run }: Known): bigint => world.book.balanceOf(holdAccount(run.job, run.run));

const everyCost = (world: World): bigint => world.runs.reduce((sum, known) => sum + world.shouldHaveCost(known), 0n);

/** Draws so many histories, and holds the books against what each run should have cost. */
export function checkHistories(numRuns: number): void {
  fc.assert(
    fc.property(history, (events) => {
      const world = new World();
      for (const event of events) {
        world.apply(event);
        const total = [...world.book.balances.values()].reduce((sum, grains) => sum + grains, 0n);
        expect(total).toBe(0n);
      }
      world.finish();
      const { book } = world;
      expect(lawsBroken(book.transactions, book.balances)).toEqual([]);
      expect(world.runs.map((run) => heldBy(world, run)).filter((left) => left !== 0n)).toEqual([]);
      const cost = everyCost(world);
      expect(book.balanceOf(REVENUE)).toBe(cost);
      expect(book.balanceOf(PAYER)).toBe(world.granted - cost);
      expect(book.balanceOf(GRANTS)).toBe(-world.granted);
    }),
    { numRuns },
  );
}
