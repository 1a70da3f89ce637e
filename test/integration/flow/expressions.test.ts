import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Answer, answer, gist, scopeOfData } from '../../support/flow/answer.ts';
import { type Authority, startAuthority } from '../../support/flow/authority.ts';
import { CONTEXT, ExpressionMaker } from '../../support/flow/expressions.ts';
import { runSeed, seeded } from '../../support/random.ts';

let authority: Authority;
beforeAll(async () => {
  authority = await startAuthority();
});
afterAll(() => authority.close());

const COUNT = 20_000;
const BATCH = 1000;

test('20,000 generated expressions have the verdict and the value that apolo-flow gives them', async () => {
  const seed = runSeed();
  const maker = new ExpressionMaker(seeded(seed));
  const scope = scopeOfData(CONTEXT);
  const differences: { template: string; delos: Answer; authority: Answer }[] = [];
  const seen = new Map<string, number>();
  for (let made = 0; made < COUNT; made += BATCH) {
    const templates = Array.from({ length: BATCH }, () => maker.template());
    const theirs = await authority.ask<Answer[]>('eval', { templates, context: CONTEXT });
    templates.forEach((template, index) => {
      const their = theirs[index] as Answer;
      if (their.slow === true) {
        seen.set('slow', (seen.get('slow') ?? 0) + 1);
        return;
      }
      const our = answer(template, scope);
      const kind = their.load !== undefined ? 'load' : their.eval !== undefined ? 'eval' : 'value';
      seen.set(kind, (seen.get(kind) ?? 0) + 1);
      if (gist(our) !== gist(their)) differences.push({ template, delos: our, authority: their });
    });
  }
  expect(differences.slice(0, 20), `seed ${seed}: ${differences.length} differ`).toEqual([]);
  // The generator must reach every verdict, or agreement would say little.
  for (const kind of ['load', 'eval', 'value']) expect(seen.get(kind) ?? 0).toBeGreaterThan(COUNT / 20);
  expect(seen.get('slow') ?? 0).toBeLessThan(COUNT / 200);
});
