import type { SynthesizedObject } from '@delos/constructs';
import { up } from '@delos/stacks';
import { stackOf, type TestStack } from './test-stack.ts';

/* `node stack-child.ts JSON`: brings a test stack up in a process of its own, for tests that end it. */
const { stack, objects } = JSON.parse(process.argv[2] ?? '{}') as {
  stack: TestStack;
  objects: readonly SynthesizedObject[];
};
const controller = new AbortController();
process.on('SIGINT', () => controller.abort());
const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};
const progress = { phase: () => () => undefined, step: say, warn: say };
try {
  const { changes } = await up(stackOf(stack, objects, { progress, signal: controller.signal }));
  say(`done ${JSON.stringify(changes)}`);
} catch (error) {
  say(`failed ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
