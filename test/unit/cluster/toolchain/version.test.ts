import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fits, tryParseVersion } from '../../../../cluster/src/toolchain/version.ts';

describe('a version on PATH stands in for the pinned one', () => {
  test.each([
    ['3.259.0', '3.259.0', {}, true, 'the same'],
    ['v3.260.1', '3.259.0', {}, true, 'a later minor of the same major'],
    ['3.258.9', '3.259.0', {}, false, 'an earlier minor'],
    ['4.0.0', '3.259.0', {}, false, 'another major'],
    ['1.34.4', '1.34.4', { same: 'minor' }, true, 'the same, where the minor counts'],
    ['1.34.11', '1.34.4', { same: 'minor' }, true, 'a later patch, compared as a number'],
    ['1.34.3', '1.34.4', { same: 'minor' }, false, 'an earlier patch'],
    ['1.35.0', '1.34.4', { same: 'minor' }, false, 'a later minor, where the minor counts'],
    ['v1.34.4+k3s1', '1.34.4', { same: 'minor' }, true, 'a build suffix'],
    ['1.35.0-rc.1', '1.34.4', {}, false, 'a pre-release'],
    ['1.26.8', '1.26.6', { atLeast: '1.26.4' }, true, 'above a lower least'],
    ['1.26.3', '1.26.6', { atLeast: '1.26.4' }, false, 'below it'],
    ['1.27', '1.26.6', { atLeast: '1.26.4' }, true, 'two numbers'],
    ['devel', '1.26.6', {}, false, 'no number'],
    ['', '1.26.6', {}, false, 'nothing'],
  ] as const)('%s for %s %j: %s (%s)', (found, pinned, probe, expected, _why) => {
    expect(fits(found, pinned, probe)).toBe(expected);
  });

  const number = fc.nat(99);
  test('law: what fits is never lower, and of the same major', () => {
    fc.assert(
      fc.property(fc.tuple(number, number, number), fc.tuple(number, number, number), (found, pinned) => {
        if (!fits(found.join('.'), pinned.join('.'), {})) return true;
        const order = found[0] - pinned[0] || found[1] - pinned[1] || found[2] - pinned[2];
        return order >= 0 && found[0] === pinned[0];
      }),
    );
  });

  test('law: a version fits itself, and parsing gives its numbers', () => {
    fc.assert(
      fc.property(fc.tuple(number, number, number), (version) => {
        const text = version.join('.');
        return fits(`v${text}`, text, { same: 'minor' }) && tryParseVersion(text)?.join('.') === text;
      }),
    );
  });
});
