import {
  Book,
  costOf,
  creditsText,
  endOf,
  GRAINS_PER_CREDIT,
  grainsOf,
  grant,
  hold,
  judge,
  LedgerFault,
  lawsBroken,
  move,
  organizationAccount,
  periodAt,
  priceOf,
  priceText,
  projectAccount,
  type Run,
  refusal,
  settle,
  settledBy,
  statementOf,
  type Transaction,
  UNSETTLED,
} from '@delos/ledger';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TERMS } from '../../support/ledger/history.ts';

const LAB = organizationAccount('lab');
const asked = { key: '1', at: 100, by: 'ann', why: 'the contract of 2027' };
const second = (text: string): number => Date.parse(`${text}Z`) / 1000;

describe('amounts', () => {
  test('a second at a billionth of a credit an hour is one grain, and an hour at one credit is one credit', () => {
    expect(costOf([{ from: 0, price: priceOf('0.000000001') }], 0, 1)).toBe(1n);
    expect(costOf([{ from: 0, price: priceOf('1') }], 0, 3600)).toBe(GRAINS_PER_CREDIT);
    expect(grainsOf('-1.5')).toBe((GRAINS_PER_CREDIT * -3n) / 2n);
  });

  test.each(['', '1e3', '1.0000000001', '1234567890123', ' 1', '0x1', '١'])('%j is none', (text) => {
    expect(() => grainsOf(text)).toThrow(RangeError);
  });

  test('a price is not negative', () => {
    expect(() => priceOf('-1')).toThrow(RangeError);
  });

  test('text and number say the same', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 21n - 1n }), (price) => {
        expect(priceOf(priceText(price))).toBe(price);
      }),
      { numRuns: 100 },
    );
  });

  test.each([
    [GRAINS_PER_CREDIT / 20_000n, 4, '0.0001'],
    [-GRAINS_PER_CREDIT / 20_000n, 4, '-0.0001'],
    [GRAINS_PER_CREDIT / 20_000n - 1n, 4, '0.0000'],
    [-1n, 4, '0.0000'],
    [(GRAINS_PER_CREDIT * 12345n) / 10n, 0, '1235'],
    [GRAINS_PER_CREDIT * 1000n, 4, '1000.0000'],
  ])('%s grains to %s digits: %s', (grains, decimals, text) => {
    expect(creditsText(grains, decimals)).toBe(text);
  });
});

describe('periods', () => {
  test.each([
    ['day', '2027-02-28T23:59:59', '2027-02-28T00:00:00', '2027-03-01T00:00:00'],
    ['week', '2027-01-03T23:59:59', '2026-12-28T00:00:00', '2027-01-04T00:00:00'],
    ['week', '2027-01-04T00:00:00', '2027-01-04T00:00:00', '2027-01-11T00:00:00'],
    ['month', '2028-02-29T12:00:00', '2028-02-01T00:00:00', '2028-03-01T00:00:00'],
    ['quarter', '2027-12-31T23:59:59', '2027-10-01T00:00:00', '2028-01-01T00:00:00'],
    ['year', '2027-01-01T00:00:00', '2027-01-01T00:00:00', '2028-01-01T00:00:00'],
  ] as const)('the %s of %s', (period, at, from, to) => {
    expect(periodAt(period, second(at))).toEqual({ from: second(from), to: second(to) });
  });
});

describe('books', () => {
  const moved = (account: string, grains: bigint): Transaction['entries'][number] => ({ account, grains });

  test.each<[string, Partial<Transaction>, string]>([
    ['out of balance', { entries: [moved('a', 1n), moved('b', -2n)] }, 'add up to -1 grains'],
    ['of nothing', { entries: [] }, 'moves nothing'],
    ['twice of one account', { entries: [moved('a', 1n), moved('a', -1n)] }, 'names an account twice'],
    ['with an entry of nothing', { entries: [moved('a', 1n), moved('b', -1n), moved('c', 0n)] }, 'an entry of nothing'],
    ['without a reason', { why: ' ' }, 'not why'],
    ['more than is held', { kind: 'release', entries: [moved('hold:j/0', -1n), moved('a', 1n)] }, 'more from hold:j/0'],
  ])('refuse a transaction %s, and write nothing then', (_what, change, message) => {
    const book = new Book();
    const good = grant(LAB, 5n, asked);
    expect(() => book.write([good, { ...grant(LAB, 7n, { ...asked, key: '2' }), ...change }])).toThrow(LedgerFault);
    expect(() => book.write([{ ...good, ...change }])).toThrow(message);
    expect([book.transactions, book.balances.size]).toEqual([[], 0]);
  });

  test('a top-up that is asked for twice is one', () => {
    const book = new Book();
    expect([1, 2].map(() => book.write([grant(LAB, 5n, asked)]))).toEqual([true, false]);
    expect(book.balanceOf(LAB)).toBe(5n);
  });

  test.each<[string, (all: Transaction[]) => Transaction[], RegExp]>([
    ['is left out', (all) => all.filter(({ kind }) => kind !== 'hold'), /takes more from hold:j\/0/],
    [
      'was changed',
      (all) =>
        all.map((each) =>
          each.kind === 'charge'
            ? { ...each, entries: each.entries.map(({ account }, index) => moved(account, BigInt(index + 1))) }
            : each,
        ),
      /add up to/,
    ],
    ['is there twice', (all) => [...all, ...all.slice(-1)], /written twice/],
    ['charges a second again', (all) => [...all, again(all, 20)], /charges again/],
    ['leaves a second out', (all) => [...all, again(all, 31)], /leaves out/],
  ])('tell when a transaction %s', (_what, change, fault) => {
    const run: Run = {
      job: 'j',
      run: 0,
      payer: LAB,
      prices: [{ from: 0, price: 2n }],
      started: 10,
      ended: 30,
      over: false,
      takenAway: false,
    };
    const held = hold(run, 80n, 10);
    const charged = settle(run, settledBy(run, UNSETTLED, [held]), 30, TERMS);
    const all = [grant(LAB, 100n, asked), held, ...charged];
    expect(lawsBroken(all, Book.of(all).balances)).toEqual([]);
    expect(lawsBroken(change(all)).join('\n')).toMatch(fault);
  });

  const again = (all: readonly Transaction[], from: number): Transaction => {
    const last = all.findLast(({ kind }) => kind === 'charge');
    if (last?.stretch === undefined) throw new Error('nothing was charged');
    return {
      ...last,
      key: `charge/j/0/${from}`,
      entries: [moved(LAB, -1n), moved('platform:revenue', 1n)],
      stretch: { ...last.stretch, from, to: 40 },
    };
  };

  test('balances that are not what the entries add up to are told', () => {
    const all = [grant(LAB, 5n, asked)];
    expect(lawsBroken(all, new Map([[LAB, 6n]]))).toEqual([
      'platform:grants has 0 grains, and its entries add up to -5',
      `${LAB} has 6 grains, and its entries add up to 5`,
    ]);
  });
});

describe('a run', () => {
  const PRICES = [
    { from: 0, price: 2n },
    { from: 130, price: 5n },
  ];
  const run: Run = {
    job: 'j',
    run: 0,
    payer: LAB,
    prices: PRICES,
    started: 100,
    ended: undefined,
    over: false,
    takenAway: false,
  };
  const kinds = (all: readonly Transaction[]) => all.map(({ kind, stretch }) => [kind, stretch?.from, stretch?.to]);

  test('is charged by the price of each second, also where that changes while it runs', () => {
    const [charge] = settle(run, UNSETTLED, 140, TERMS);
    expect(charge?.entries).toEqual([
      { account: LAB, grains: -110n },
      { account: 'platform:revenue', grains: 110n },
    ]);
  });

  test('is charged no earlier than each so many seconds, and at its end', () => {
    expect(settle(run, UNSETTLED, 114, TERMS)).toEqual([]);
    expect(kinds(settle(run, UNSETTLED, 115, TERMS))).toEqual([['charge', 100, 115]]);
    expect(kinds(settle({ ...run, ended: 101, over: true }, UNSETTLED, 102, TERMS))).toEqual([['charge', 100, 101]]);
  });

  test('that never started gives back what it held, and costs nothing', () => {
    const never = { ...run, started: undefined, ended: 150, over: true };
    const held = hold(run, 80n, 90);
    expect(kinds(settle(never, settledBy(run, UNSETTLED, [held]), 160, TERMS))).toEqual([
      ['release', undefined, undefined],
    ]);
  });

  test('that ended before the second until which it was charged gets the rest back', () => {
    const charged = settle(run, UNSETTLED, 140, TERMS);
    const settled = settledBy(run, UNSETTLED, charged);
    const ended = { ...run, ended: 120, over: true, takenAway: true };
    expect(kinds(settle(ended, settled, 160, TERMS))).toEqual([
      ['return', 120, 140],
      ['refund', 100, 120],
    ]);
  });

  test('that the platform took away gets its last seconds back, and no more than it ran', () => {
    const all = settle({ ...run, ended: 160, over: true, takenAway: true }, UNSETTLED, 160, TERMS);
    expect(kinds(all)).toEqual([
      ['charge', 100, 160],
      ['refund', 135, 160],
    ]);
    const closed = settledBy({ ...run, over: true }, UNSETTLED, all);
    expect(settle({ ...run, ended: 160, over: true }, closed, 999, TERMS)).toEqual([]);
  });
});

describe('standing', () => {
  const credits = (text: string) => grainsOf(text);
  const now = second('2027-03-15T12:00:00');
  const lab = { name: 'organization lab', balance: credits('0.4'), emptySince: undefined };

  test.each<[string, Parameters<typeof refusal>[0], string, string | undefined]>([
    ['nobody gave it credits', [{ ...lab, balance: undefined }], '5', undefined],
    ['it has enough', [lab], '0.4', undefined],
    ['it costs nothing', [{ ...lab, balance: 0n }], '0', undefined],
    [
      'it has too little',
      [lab],
      '0.5',
      'organization lab has 0.4000 credits left, and this job needs 0.5000 to start: ask its administrator for more',
    ],
    [
      'it has none',
      [{ ...lab, balance: 0n }],
      '0.5',
      'organization lab has no credits left: ask its administrator for more',
    ],
    [
      'it is in debt',
      [{ ...lab, balance: credits('-1') }],
      '0.5',
      'organization lab has no credits left and owes 1.0000: ask its administrator for more',
    ],
    [
      'the project’s budget is spent',
      [
        lab,
        {
          name: 'project lab/vision',
          balance: undefined,
          emptySince: undefined,
          budget: { grains: credits('10'), period: 'month', spent: credits('9.9') },
        },
      ],
      '0.2',
      'project lab/vision has spent 9.9000 of its budget of 10.0000 credits for this month, and this job needs 0.2000 to start: the next month begins on 2027-04-01',
    ],
  ])('%s', (_what, scopes, needs, words) => {
    expect(refusal(scopes, credits(needs), now)).toBe(words);
  });

  test('nothing left: no job starts, and those that run go on for the grace period', () => {
    expect(judge(lab, now, 600)).toEqual({ closed: undefined, endsAt: undefined });
    expect(judge({ ...lab, balance: 0n, emptySince: now - 100 }, now, 600)).toMatchObject({ endsAt: now + 500 });
  });

  test('credits end when they are spent as they are now', () => {
    expect(endOf(100n, 3n, now)).toBe(now + 33);
    expect(endOf(0n, 3n, now)).toBe(now);
    expect(endOf(100n, 0n, now)).toBeUndefined();
  });
});

test('a statement shows what was charged, a line a job, and not what is held', () => {
  const project = projectAccount('lab', 'vision');
  const run: Run = {
    job: 'j',
    run: 0,
    payer: project,
    prices: [{ from: 0, price: 1n }],
    started: 1000,
    ended: undefined,
    over: false,
    takenAway: false,
  };
  const held = hold(run, 20n, 1000);
  let settled = settledBy(run, UNSETTLED, [held]);
  const charges = [1015, 1030, 1045].flatMap((now) => {
    const written = settle(run, settled, now, TERMS);
    settled = settledBy(run, settled, written);
    return written;
  });
  const all = [
    grant(LAB, 100n, { ...asked, at: 500 }),
    move(LAB, project, 60n, { ...asked, at: 600 }),
    held,
    ...charges,
  ];
  expect(Book.of(all).balanceOf(project)).toBe(15n);
  expect(statementOf(project, all, { from: 550, to: 1040 })).toEqual({
    account: project,
    span: { from: 550, to: 1040 },
    opening: 0n,
    lines: [
      { at: 600, kind: 'move', grains: 60n, by: 'ann', why: 'the contract of 2027' },
      { at: 1015, kind: 'charge', job: 'j', seconds: 30, grains: -30n },
    ],
    closing: 30n,
  });
});
