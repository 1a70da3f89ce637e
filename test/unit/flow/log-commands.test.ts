import { LogCommands } from '@delos/flow';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
function read(chunks: readonly Uint8Array[]) {
  const reader = new LogCommands();
  const shown = Buffer.concat([...chunks.map((chunk) => reader.push(chunk)), reader.end()]);
  return {
    shown: shown.toString('latin1'),
    outputs: Object.fromEntries(reader.outputs),
    states: Object.fromEntries(reader.states),
    unknown: reader.unknown,
  };
}
const whole = (text: string) => read([bytes(text)]);

describe('commands in logs', () => {
  test.each([
    ['::set-output name=a::1\n', { a: '1' }],
    ['  ::  set-output   name = a  :: two words  \n', { a: ' two words' }],
    ['::set-output name=a::1', { a: '1' }],
    ['::set-output name=a::1\n::set-output name=a::2\n', { a: '2' }],
    ['::set-output name=a::x::y\r\n', { a: 'x::y' }],
    ['text ::set-output name=a::1\n', {}],
    ['::set-output name=1a::1\n', {}],
    ['::set-output name=a::\n', {}],
    ['::stop-commands::T\n::set-output name=a::1\n::T::\n::set-output name=b::2\n', { b: '2' }],
  ])('%j gives outputs %j', (text, outputs) => {
    expect(whole(text).outputs).toEqual(outputs);
  });

  test('states are kept apart from outputs', () => {
    expect(whole('::save-state name=s::v\n::set-output name=o::w\n')).toMatchObject({
      states: { s: 'v' },
      outputs: { o: 'w' },
    });
  });

  test('command lines are not shown, text and what stands between stop marks is', () => {
    expect(whole('a\n::set-output name=x::1\nb\n::nonsense\n::stop-commands::T\n::c\n::T::\nd').shown).toBe(
      'a\nb\n::c\nd',
    );
    expect(whole('::nonsense\n').unknown).toBe(1);
  });

  test('bytes that are no UTF-8 are replaced in a value', () => {
    expect(read([bytes('::set-output name=a::x'), Uint8Array.of(0xff), bytes('y\n')]).outputs).toEqual({
      a: 'x\ufffdy',
    });
  });

  test('however the log is cut, the result is the same', () => {
    const line = fc.constantFrom(
      '::set-output name=a::1',
      '::save-state name=b::x y',
      'text',
      '',
      '  ::stop-commands::T',
      '::T::',
      '::',
      ':',
      ' : :',
      '::x',
      'é::',
      '\t::set-output name=c::é',
    );
    const end = fc.constantFrom('\n', '\r\n', '\r');
    const log = fc.array(fc.tuple(line, end), { maxLength: 12 }).map((lines) => lines.flat().join(''));
    fc.assert(
      fc.property(log, fc.array(fc.nat(200), { maxLength: 8 }), (text, cuts) => {
        const all = bytes(text);
        const places = [...new Set([0, ...cuts.map((cut) => Math.min(cut, all.length)), all.length])].sort(
          (a, b) => a - b,
        );
        const chunks = places.slice(1).map((place, index) => all.subarray(places[index], place));
        expect(read(chunks)).toEqual(read([all]));
      }),
      { numRuns: 500 },
    );
  });
});
