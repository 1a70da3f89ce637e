import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files in the order of their names, suite by suite: the platform is looked at before it is broken. */
class InOrder extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ project, moduleId }: TestSpecification): string =>
      `${['unit', 'integration', 'e2e', 'long'].indexOf(project.name)} ${moduleId}`;
    return files.toSorted((a, b) => rank(a).localeCompare(rank(b)));
  }
}

const suite = (name: string, options: { readonly parallel: boolean; readonly minutes: number }) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    setupFiles: ['./test/support/setup/property-seed.ts', './test/support/setup/temporary-folder.ts'],
    // A CommonJS package's default is what Node makes of it, as where the code runs.
    deps: { interopDefault: false },
    fileParallelism: options.parallel,
    testTimeout: options.minutes * 60_000,
    hookTimeout: options.minutes * 60_000,
    ...(options.parallel ? {} : { maxWorkers: 1 }),
    // Unit tests keep nothing in modules: to load all modules anew for each file would take longer than the tests.
    isolate: name !== 'unit',
    ...(name === 'unit'
      ? {}
      : { globalSetup: [`./test/support/${name === 'integration' ? 'cluster' : 'platform'}-setup.ts`] }),
  },
});

export default defineConfig({
  test: {
    sequence: { sequencer: InOrder },
    reporters: ['default', './test/support/reporter.ts'],
    projects: [
      suite('unit', { parallel: true, minutes: 3 }),
      suite('integration', { parallel: false, minutes: 10 }),
      suite('e2e', { parallel: false, minutes: 20 }),
      suite('long', { parallel: false, minutes: 60 }),
    ],
  },
});
