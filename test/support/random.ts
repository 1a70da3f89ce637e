/** Numbers that a seed determines, so that a failing run can be had again. */
export { seeded } from '../../runtime/simulator/src/random.ts';

/** Of the default suite, whose runs are all the same: a commit that passes once passes again. */
const FIXED_SEED = 20_260_726;

/** The seed of this run: DELOS_TEST_SEED; else a new one with --long, and always the same without. */
export function runSeed(): number {
  const given = Number(process.env.DELOS_TEST_SEED);
  if (Number.isInteger(given) && given > 0) return given;
  return process.env.DELOS_TEST_LONG === undefined ? FIXED_SEED : 1 + Math.floor(Math.random() * 0x7fffffff);
}
