import { expect, test } from 'vitest';
import { madeFlow } from '../../support/engine/made-flow.ts';
import { simulateBakes } from '../../support/engine/many-bakes.ts';
import { runSeed, seeded } from '../../support/random.ts';

const SEEDS = 500;

test(`${SEEDS} bakes end as they must, whatever is lost, late, doubled or killed`, () => {
  const first = runSeed();
  const random = seeded(first);
  const seen = simulateBakes(
    first,
    SEEDS,
    Array.from({ length: 40 }, () => madeFlow(random)),
  );
  // What is to be survived must have happened.
  for (const [what, count] of Object.entries(seen))
    expect(count, `${what} of ${JSON.stringify(seen)}`).toBeGreaterThan(SEEDS / 50);
});
