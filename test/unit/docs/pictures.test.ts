import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Box, layoutOf, overlap, svgOf } from '../../support/docs/graph-drawing.ts';

const pictures = '../../../docs/pictures';
const source = readFileSync(join(import.meta.dirname, pictures, 'architecture.dot'), 'utf8');

describe('the picture of the architecture', () => {
  test('is drawn from its source (-u draws it anew)', async () => {
    await expect(svgOf(source, 'Delos: the command, the platform, a job')).toMatchFileSnapshot(
      `${pictures}/architecture.svg`,
    );
  });

  const { nodes, labels, ends } = layoutOf(source);

  test('has no text that lies over another text or over a box', () => {
    expect(labels.length).toBeGreaterThan(15);
    const collisions = (boxes: readonly Box[]) =>
      labels.flatMap((label) =>
        boxes.filter((box) => box !== label && overlap(label, box)).map(({ what }) => `${label.what} / ${what}`),
      );
    expect(collisions(labels)).toEqual([]);
    expect(collisions(nodes)).toEqual([]);
  });

  test('has no line that begins or ends in the air', () => {
    expect(ends.length).toBeGreaterThan(20);
    // A line ends where its arrow's head begins.
    const reach = 12;
    const around = ({ node, x, y }: (typeof ends)[number]): boolean =>
      x >= node.left - reach && x <= node.right + reach && y >= node.bottom - reach && y <= node.top + reach;
    expect(ends.filter((end) => !around(end)).map(({ edge }) => edge)).toEqual([]);
  });
});

test('the search for collisions finds two labels that lie on one another', () => {
  const at = (left: number): Box => ({ what: 'x', left, right: left + 10, bottom: 0, top: 10 });
  expect([overlap(at(0), at(9)), overlap(at(0), at(10)), overlap(at(0), { ...at(5), bottom: 10, top: 20 })]).toEqual([
    true,
    false,
    false,
  ]);
});
