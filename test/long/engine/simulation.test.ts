import { expect, test } from 'vitest';
import { madeFlow } from '../../support/engine/made-flow.ts';
import { simulateBakes } from '../../support/engine/many-bakes.ts';
import { runSeed, seeded } from '../../support/random.ts';

const SEEDS = 12_000;

test(`${SEEDS} bakes of 600 flows end as they must, whatever is lost, late, doubled or killed`, () => {
  const first = runSeed();
  const random = seeded(first);
  const flows = Array.from({ length: 600 }, () => madeFlow(random));
  const seen = simulateBakes(first, SEEDS, flows);
  console.log(`seed ${first}: ${JSON.stringify(seen)}`);
  for (const [what, count] of Object.entries(seen)) expect(count, what).toBeGreaterThan(SEEDS / 50);
});
