import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LogRenderer } from '../../../../runtime/service/src/logs/renderer.ts';

const at = (second: number): string => `2026-01-02T03:04:${String(second).padStart(2, '0')}.000000001Z`;

function render(chunks: readonly Buffer[], options = {}): string {
  const renderer = new LogRenderer(options);
  return Buffer.concat([...chunks.map((chunk) => renderer.push(chunk)), renderer.end()]).toString('utf8');
}

describe('what the container wrote is rendered from the kubelet’s format', () => {
  const cases: readonly [string, string, string][] = [
    ['a full line ends in a newline', `${at(1)} stdout F hello\n`, 'hello\n'],
    ['an empty line stays', `${at(1)} stdout F \n`, '\n'],
    ['parts are joined', `${at(1)} stdout P hel\n${at(1)} stdout P lo\n${at(1)} stdout F !\n`, 'hello!\n'],
    ['a last part has no newline', `${at(1)} stdout P no newline\n`, 'no newline'],
    ['both streams in the order of their writing', `${at(1)} stdout F a\n${at(2)} stderr F b\n`, 'a\nb\n'],
    ['spaces of the content are its own', `${at(1)} stdout F   a  b \n`, '  a  b \n'],
    ['further tags are passed over', `${at(1)} stdout F:x:y a\n`, 'a\n'],
    ['what is not in the format is passed on', 'not a log line\n', 'not a log line\n'],
    ['a line that was cut off is passed on', `${at(1)} stdout F cut`, 'cut\n'],
  ];
  test.each(cases)('%s', (_rule, input, output) => {
    expect(render([Buffer.from(input)])).toBe(output);
  });

  test('times begin lines, not parts of them', () => {
    const input = `${at(1)} stdout P a\n${at(2)} stdout F b\n${at(3)} stderr F c\n`;
    expect(render([Buffer.from(input)], { timestamps: true })).toBe(`${at(1)} ab\n${at(3)} c\n`);
  });

  test('since leaves out what was written before', () => {
    const input = [1, 2, 3].map((second) => `${at(second)} stdout F ${second}\n`).join('');
    expect(render([Buffer.from(input)], { since: new Date('2026-01-02T03:04:02Z') })).toBe('2\n3\n');
  });

  test('chunks may be cut anywhere', () => {
    const line = fc.record({
      stderr: fc.boolean(),
      partial: fc.boolean(),
      text: fc.string({ maxLength: 20 }).map((text) => text.replaceAll('\n', ' ')),
    });
    fc.assert(
      fc.property(fc.array(line, { maxLength: 20 }), fc.array(fc.nat(2_000), { maxLength: 10 }), (lines, cuts) => {
        const input = Buffer.from(
          lines.map((l) => `${at(1)} ${l.stderr ? 'stderr' : 'stdout'} ${l.partial ? 'P' : 'F'} ${l.text}\n`).join(''),
        );
        const places = [0, ...cuts.map((cut) => cut % (input.length + 1)), input.length].sort((a, b) => a - b);
        const chunks = places.slice(1).map((end, index) => input.subarray(places[index], end));
        const expected = lines.map((l) => l.text + (l.partial ? '' : '\n')).join('');
        expect(render(chunks)).toBe(Buffer.from(expected).toString('utf8'));
      }),
    );
  });
});
