import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ROOMS, ROOT } from '../../support/house/rooms.ts';

const text = readFileSync(join(ROOT, 'docs/decisions/README.md'), 'utf8');
/** Heading of a group → its lines. */
const groups = new Map(
  text
    .split(/^##+ /m)
    .slice(1)
    .map((part): [string, readonly string[]] => {
      const [heading = '', ...lines] = part.split('\n');
      return [heading, lines.filter((line) => line !== '')];
    }),
);
const names = new Set([...ROOMS.map(({ name }) => name), 'All rooms', 'tests']);

describe.each([...groups])('the decisions on %s', (heading, lines) => {
  test('are about a room', () => {
    expect(names).toContain(heading);
  });

  test('have a line each, with its date, from the oldest to the newest', () => {
    const dates = lines.map((line) => /^- (\d{4}-\d\d-\d\d): \S.*[.)]$/.exec(line)?.[1] ?? line);
    expect(dates.filter((date) => !/^\d{4}-\d\d-\d\d$/.test(date))).toEqual([]);
    expect(dates).toEqual(dates.toSorted());
  });
});

test('a decision stands once', () => {
  const lines = [...groups.values()].flat();
  expect(new Set(lines.map((line) => line.slice(14))).size).toBe(lines.length);
  expect(lines.length).toBeGreaterThan(100);
});
