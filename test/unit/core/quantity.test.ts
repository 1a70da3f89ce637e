import {
  NANO_PER_UNIT,
  parseQuantity,
  quantityNumber,
  quantityOf,
  quantityOr0,
  wholeMilli,
  wholeUnits,
} from '@delos/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

/*
 * The grammar of the API reference, rule by rule, each text with the fraction that it stands for. The parser shares
 * nothing with it.
 */
interface Fraction {
  readonly text: string;
  readonly over: bigint;
  readonly under: bigint;
}

const digits = fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: 1, maxLength: 20 });
const numbers: fc.Arbitrary<Fraction> = fc
  .oneof(
    digits.map((whole) => [whole, '', whole] as const),
    fc.tuple(digits, digits).map(([whole, part]) => [whole, part, `${whole}.${part}`] as const),
    digits.map((whole) => [whole, '', `${whole}.`] as const),
    digits.map((part) => ['', part, `.${part}`] as const),
  )
  .map(([whole, part, text]) => ({ text, over: BigInt(whole + part), under: 10n ** BigInt(part.length) }));

const binary = fc
  .constantFrom('Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei')
  .map((text) => ({ text, over: 1024n ** BigInt(1 + 'KMGTPE'.indexOf(text[0] ?? '')), under: 1n }));
const decimal = fc.constantFrom('n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E').map((text) => {
  const power = 3 * (['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'].indexOf(text) - 3);
  return { text, over: power > 0 ? 10n ** BigInt(power) : 1n, under: power < 0 ? 10n ** BigInt(-power) : 1n };
});
const exponent = fc
  .tuple(fc.constantFrom('e', 'E'), fc.integer({ min: -40, max: 40 }), fc.boolean())
  .map(([letter, power, plus]) => ({
    text: `${letter}${plus && power >= 0 ? '+' : ''}${power}`,
    over: power > 0 ? 10n ** BigInt(power) : 1n,
    under: power < 0 ? 10n ** BigInt(-power) : 1n,
  }));
const suffixes: fc.Arbitrary<Fraction> = fc.oneof(binary, decimal, exponent);
const signs = fc.constantFrom('', '+', '-');

/** What Kubernetes keeps of a fraction: whole thousand-millionths, away from zero, 2⁶³ − 1 at most. */
function kept(over: bigint, under: bigint): bigint {
  const nano = over * NANO_PER_UNIT;
  const up = nano / under + (nano % under === 0n ? 0n : 1n);
  const most = (2n ** 63n - 1n) * NANO_PER_UNIT;
  return up > most ? most : up;
}

test('each text of the grammar is read as the amount that its rules give, rounded and bounded as Kubernetes does', () => {
  fc.assert(
    fc.property(signs, numbers, suffixes, (sign, number, suffix) => {
      const amount = kept(number.over * suffix.over, number.under * suffix.under);
      expect(parseQuantity(sign + number.text + suffix.text)).toBe(sign === '-' ? -amount : amount);
    }),
  );
});

test('a text that the grammar does not give is no quantity', () => {
  const grammar =
    /^[+-]?([0-9]+|[0-9]+\.[0-9]+|[0-9]+\.|\.[0-9]+)(Ki|Mi|Gi|Ti|Pi|Ei|n|u|m||k|M|G|T|P|E|[eE][+-]?[0-9]+)$/;
  const letters = fc.constantFrom(...'0123456789.+-eEnumkKMGTPi ');
  fc.assert(
    fc.property(fc.string({ unit: letters, maxLength: 8 }), (text) => {
      expect(parseQuantity(text) !== undefined).toBe(grammar.test(text));
    }),
    { numRuns: 2000 },
  );
});

test.each([
  '',
  ' ',
  '.',
  '+',
  'abc',
  '1Xi',
  '1.2.3',
  '--1',
  '1 Gi',
  '1Gi ',
  '1gi',
  '1K',
  '1e',
  '1e1.5',
  '1Ki3',
  '٣',
  '0x10',
])('%j is no quantity', (text) => {
  expect(parseQuantity(text)).toBeUndefined();
});

test.each([
  ['2048Mi', '2Gi'],
  ['1000m', '1'],
  ['1000m', 1],
  ['0.5', '500m'],
  ['1e3', '1k'],
  ['1E3', '1k'],
  ['1E', '1e18'],
  ['1.5Gi', '1536Mi'],
  ['100M', '100000k'],
  ['2Pi', 2 * 2 ** 50],
  ['1e9', 1e9],
  [1e21, '1e21'],
])('%s is as much as %s', (a, b) => {
  expect(parseQuantity(a)).toBe(parseQuantity(b));
  expect(parseQuantity(a)).toBeDefined();
});

test('a text of any length and any exponent is read at once', () => {
  expect(parseQuantity(`1e${'9'.repeat(200)}`)).toBe((2n ** 63n - 1n) * NANO_PER_UNIT);
  expect(parseQuantity(`1e-${'9'.repeat(200)}`)).toBe(1n);
  expect(parseQuantity('9'.repeat(10_000_000))).toBeUndefined();
});

describe('an amount is told', () => {
  test.each([
    ['1', 1],
    ['100m', 0.1],
    ['16384Ki', 16 * 2 ** 20],
    ['4Ei', 4 * 2 ** 60],
    ['-1500m', -1.5],
    ['123456789n', 0.123456789],
    ['junk', 0],
    [undefined, 0],
  ])('as the number nearest to it: %s', (text, value) => {
    expect(quantityOr0(text)).toBe(value);
  });

  test('in whole units and thousandths, a part of one counting as one', () => {
    const amount = parseQuantity('1.0000001') ?? 0n;
    expect([wholeUnits(amount), wholeMilli(amount)]).toEqual([2n, 1001n]);
    expect([wholeUnits(-amount), wholeMilli(-amount)]).toEqual([-2n, -1001n]);
    expect([wholeUnits(0n), wholeMilli(0n)]).toEqual([0n, 0n]);
  });

  test('in bytes as a person writes them, and what is written is the same amount', () => {
    expect([0, 1000, 1024, 3 * 2 ** 50, 2 ** 60].map(quantityOf)).toEqual([0, 1000, '1Ki', '3Pi', '1Ei']);
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 0, max: 22 }), (bytes, power) => {
        const size = bytes * 2 ** power;
        expect(quantityNumber(parseQuantity(quantityOf(size)) ?? -1n)).toBe(size);
      }),
    );
  });
});
