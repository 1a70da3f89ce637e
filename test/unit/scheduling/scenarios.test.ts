import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { Explainer, type SnapshotInput, snapshotFaults } from '../../../runtime/scheduling/src/index.ts';
import { PLACEMENTS } from '../../../runtime/simulator/src/placements.ts';
import { decided, world } from '../../support/scheduling/jobs.ts';

const scenario = z.strictObject({
  /** The part of the model, or the policy, that it is about. */
  piece: z.string(),
  title: z.string(),
  world: z.custom<SnapshotInput>(),
  expect: z.array(z.string()),
  /** Part of the text by job that waits. */
  waits: z.record(z.string(), z.string()).default({}),
  /** When the next cycle is due. */
  next: z.number().optional(),
  /** Lists and policy to put in the place of the world's: the piece is off. */
  without: z.custom<Partial<SnapshotInput>>(),
  expectWithout: z.array(z.string()),
});

const folder = join(import.meta.dirname, 'scenarios');
const scenarios = readdirSync(folder)
  .filter((name) => name.endsWith('.yaml'))
  .sort()
  .map((file) => ({ file, ...scenario.parse(parse(readFileSync(join(folder, file), 'utf8'))) }));

test.each(scenarios)('$title ($file)', (given) => {
  expect(snapshotFaults(world(given.world), PLACEMENTS)).toEqual([]);
  const { lines, cycle, scheduler } = decided(given.world);
  expect(lines).toEqual(given.expect);
  if (given.next !== undefined) expect(cycle.next).toBe(given.next);
  const explainer = new Explainer(scheduler.state);
  for (const [job, text] of Object.entries(given.waits)) expect(explainer.explain(job)?.text).toContain(text);
});

test.each(scenarios)('$piece off: the decision is another ($file)', (given) => {
  const off: SnapshotInput = { ...given.world, ...given.without };
  expect(snapshotFaults(world(off), PLACEMENTS)).toEqual([]);
  expect(decided(off).lines).toEqual(given.expectWithout);
  expect(given.expectWithout).not.toEqual(given.expect);
});

test('the guide lists every scenario with its piece', () => {
  const guide = readFileSync(join(import.meta.dirname, '../../../docs/guides/scheduling.md'), 'utf8');
  const rows = scenarios.map(
    ({ file, piece, title }) => `| \`${piece}\` | ${title} | [${file}](../../test/unit/scheduling/scenarios/${file}) |`,
  );
  for (const row of rows) expect(guide.replaceAll(/ +/g, ' ')).toContain(row);
});
