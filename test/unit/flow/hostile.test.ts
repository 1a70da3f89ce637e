import { EvalFault, evaluate, MAX_BYTES, parseExpression, parseFlowFile, SyntaxFault, scopeOf } from '@delos/flow';
import { describe, expect, test } from 'vitest';

const LAUGHS = [
  'a: &a [x, x, x, x, x, x, x, x, x]',
  ...'bcdefghi'
    .split('')
    .map((name, index) => `${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[index]}`).join(', ')}]`),
].join('\n');

describe('hostile files are refused before they cost anything', () => {
  test.each([
    ['a billion laughs', LAUGHS, /aliases/],
    ['10 MB', `kind: batch\ntasks: []\n${'# x\n'.repeat(2_500_000)}`, /larger/],
    ['a NUL byte', 'kind: batch\n\0', /U\+0000/],
    ['10,000 levels in brackets', `kind: batch\ntasks: ${'['.repeat(10_000)}${']'.repeat(10_000)}\n`, /deep/],
    ['10,000 levels in braces', `kind: batch\ntasks: ${'{a: '.repeat(10_000)}${'}'.repeat(10_000)}\n`, /deep/],
    ['10,000 levels of dashes', `kind: batch\ntasks:\n  ${'- '.repeat(10_000)}a\n`, /deep/],
    [
      '1,000 levels by indentation',
      Array.from({ length: 1000 }, (_, level) => `${' '.repeat(level)}a:`).join('\n'),
      /deep/,
    ],
    ['an alias of itself', 'kind: batch\ntasks: &t [*t]\n', /inside of what it names/],
  ])('%s', (_name, text, words) => {
    const { report } = parseFlowFile('flow.yml', text);
    expect(
      report
        .diagnostics()
        .map(({ message }) => message)
        .join('\n'),
    ).toMatch(words);
    expect(report.failed).toBe(true);
  });

  test('a file at the limit of size is read', () => {
    const text = 'kind: batch\ntasks: []\n';
    expect(parseFlowFile('flow.yml', text + '#'.repeat(MAX_BYTES - text.length)).report.failed).toBe(false);
  });

  test.each([
    ['brackets', '['.repeat(10_000)],
    ['parentheses', '('.repeat(10_000)],
    ['signs', '- '.repeat(10_000)],
    ['negations', 'not '.repeat(10_000)],
    ['negations that are calls', 'not('.repeat(10_000)],
    ['lists in negations', 'not['.repeat(90)],
    ['conditions', `${'[x for x in y if '.repeat(90)}`],
  ])('an expression of nested %s is refused', (_name, text) => {
    expect(() => parseExpression(text)).toThrow(SyntaxFault);
  });

  test('digits are grouped over a million places in one pass', () => {
    const text = String(evaluate(parseExpression("fmt('{:01000000,}', 7)"), scopeOf({})));
    // Five hundred passes over so many would outlast this test's limit of time.
    expect(text).toMatch(/^\d{1,3}(,\d{3})+$/);
    expect(text.replaceAll(',', '')).toMatch(/^0+7$/);
    expect([1_000_000, 1_000_001]).toContain(text.length);
  });

  test.each([
    ["'a' * 1000000000"],
    ['range(1000000000)'],
    [`[${Array(20).fill('range(400000)').join(', ')}]`],
    ['[str(range(1000)) for v in range(100000)]'],
    ["['a' * 1000 for v in range(400000)]"],
    ['[[0] * 1000 for v in range(100000)]'],
    ["replace('a' * 1000000, 'a', 'b' * 1000000)"],
    ["'%1000000000d' % 1"],
    ["fmt('{:1000000000}', 1)"],
    ['[[z for z in range(2000)] for y in range(1000000)]'],
  ])('%s is refused before it fills the memory', (text) => {
    expect(() => evaluate(parseExpression(text), scopeOf({}))).toThrow(EvalFault);
  });
});
