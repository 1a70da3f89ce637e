import { describe, expect, test } from 'vitest';
import { fuzzed } from '../../support/fuzz/fuzz.ts';

const MINUTES = process.env.DELOS_TEST_LONG === undefined ? 1 / 20 : 10;
const LIMIT = { timeout: (MINUTES + 3) * 60_000 };

describe('fuzzing that is led by the branches that inputs reach', () => {
  test.each(['yaml', 'expression', 'log'])('%s: no crash, no hang, memory bounded', LIMIT, async (target) => {
    const { runs, features, seedFeatures, kept, failure } = await fuzzed(target, { milliseconds: MINUTES * 60_000 });
    process.stdout.write(
      `${target}: ${runs} runs, ${features} branches, ${seedFeatures} of them by seeds, ${kept} kept\n`,
    );
    expect(failure).toBeUndefined();
    expect(features).toBeGreaterThan(seedFeatures);
  });

  test('finds a fault that chance alone would not', LIMIT, async () => {
    const { failure } = await fuzzed('planted', { milliseconds: 120_000, runs: 1_000_000 });
    expect(failure?.message).toMatch(/found/);
    expect(Buffer.from(failure?.input ?? '', 'base64').subarray(0, 5)).toEqual(
      Buffer.from([0x66, 0x75, 0x7a, 0x11, 0xf7]),
    );
  });
});
