import { expect, test } from 'vitest';
import { CORE_PLACEMENTS, decide, Scheduler, snapshotFaults } from '../../../runtime/scheduling/src/index.ts';
import { PLACEMENTS } from '../../../runtime/simulator/src/index.ts';
import { world } from '../../support/scheduling/jobs.ts';

const asking = (placement: string) => world({ policy: { placement } });

test('a placement policy that the table lacks is refused, and the message names those that there are', () => {
  expect(() => new Scheduler(asking('tightest'), PLACEMENTS)).toThrow(
    'there is no placement policy tightest; there are: best-fit, worst-fit, expected-loss',
  );
  expect(() => decide(asking('tightest'))).toThrow('there are: best-fit, worst-fit');
});

test('which placement policies there are follows from the table alone, whatever modules were imported', () => {
  // The simulator is imported above, and brings a policy with it: the core does not know it unless it is handed in.
  expect([...CORE_PLACEMENTS.keys()]).toEqual(['best-fit', 'worst-fit']);
  expect(() => new Scheduler(asking('expected-loss'))).toThrow('there is no placement policy expected-loss');
  expect(new Scheduler(asking('expected-loss'), PLACEMENTS).state.placement.name).toBe('expected-loss');
});

test('the faults of a snapshot are told against the table of the scheduler that it is for', () => {
  expect(snapshotFaults(asking('expected-loss'), PLACEMENTS)).toEqual([]);
  expect(snapshotFaults(asking('expected-loss'))).toMatchObject([
    { path: ['policy', 'placement'], message: 'there is no placement policy expected-loss' },
  ]);
});
