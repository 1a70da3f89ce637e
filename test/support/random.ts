/** Numbers that a seed determines, so that a failing run can be had again. */
export { seeded } from '../../runtime/src/simulator/random.ts';

/** The seed of this run: DELOS_TEST_SEED, else a new one. */
export function runSeed(): number {
  const given = Number(process.env.DELOS_TEST_SEED);
  return Number.isInteger(given) && given > 0 ? given : 1 + Math.floor(Math.random() * 0x7fffffff);
}
