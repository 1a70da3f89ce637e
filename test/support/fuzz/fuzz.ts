import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { build } from 'esbuild';
import { runSeed } from '../random.ts';
import type { Outcome } from './engine.ts';
import { BANNER, instrumented } from './instrument.ts';
import type { Work } from './worker.ts';

const HERE = import.meta.dirname;
const FLOW = join(HERE, '../../../runtime/flow/src');
/** Heap of the code under test, MiB: an input that needs more is a fault. */
const HEAP = 256;
/** A run that takes longer hangs, milliseconds: also on a machine that is busy otherwise. */
const HANG = 30_000;

interface Limit {
  readonly milliseconds: number;
  readonly runs?: number;
}

/**
 * Fuzzes a target of `targets/` for some time, or some runs, guided by the branches of the flow language that its
 * inputs reach. Crashes, hangs and too much memory are failures, with the input.
 */
export async function fuzzed(target: string, limit: Limit): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), 'delos-fuzz-'));
  try {
    const bundle = join(folder, `${target}.mjs`);
    await bundled(target, bundle);
    return await watched(bundle, limit);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function bundled(target: string, outfile: string): Promise<void> {
  await build({
    stdin: {
      contents: `import { serve } from './worker.ts'; import { target } from './targets/${target}.ts'; serve(target);`,
      resolveDir: HERE,
    },
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile,
    logLevel: 'error',
    banner: {
      js: `import { createRequire } from 'node:module';\nconst require = createRequire(import.meta.url);\n${BANNER}`,
    },
    alias: { '@delos/flow': join(FLOW, 'index.ts') },
    plugins: [instrumented(/runtime\/flow\/src\/.*\.ts$|fuzz\/targets\/.*\.ts$/)],
  });
}

function watched(bundle: string, { milliseconds, runs = Number.POSITIVE_INFINITY }: Limit): Promise<Outcome> {
  const state = new Int32Array(new SharedArrayBuffer(8));
  const input = new Uint8Array(new SharedArrayBuffer(1 << 20));
  const work: Work = { seed: runSeed(), milliseconds, runs, state, input };
  const failed = (message: string): Outcome => ({
    ...{ runs: state[0] ?? 0, features: 0, seedFeatures: 0, kept: 0 },
    failure: { input: Buffer.from(input.slice(0, state[1])).toString('base64'), message },
  });
  return new Promise((resolve) => {
    const worker = new Worker(bundle, { workerData: work, resourceLimits: { maxOldGenerationSizeMb: HEAP } });
    let [last, since] = [-1, Date.now()];
    const watch = setInterval(() => {
      const now = Atomics.load(state, 0);
      if (now !== last) [last, since] = [now, Date.now()];
      else if (Date.now() - since > HANG) end(failed('hangs'));
    }, 1000);
    const end = (outcome: Outcome): void => {
      clearInterval(watch);
      void worker.terminate();
      resolve(outcome);
    };
    worker.once('message', end);
    worker.once('error', (error) => end(failed(String(error))));
    worker.once('exit', (code) => end(failed(`ended with ${code}`)));
  });
}
