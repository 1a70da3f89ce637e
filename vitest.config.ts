import { defineConfig } from 'vitest/config';

const suite = (name: string, options: { readonly parallel: boolean; readonly minutes: number }) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    fileParallelism: options.parallel,
    testTimeout: options.minutes * 60_000,
    hookTimeout: options.minutes * 60_000,
    ...(options.parallel ? {} : { maxWorkers: 1 }),
  },
});

export default defineConfig({
  test: {
    reporters: ['default', './test/support/reporter.ts'],
    projects: [
      suite('unit', { parallel: true, minutes: 1 }),
      suite('integration', { parallel: false, minutes: 10 }),
      suite('e2e', { parallel: false, minutes: 20 }),
      suite('long', { parallel: false, minutes: 60 }),
    ],
  },
});
