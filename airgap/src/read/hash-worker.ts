import { createHash } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import type { FromWorker, ToWorker } from './pack-hash.ts';
import { READ_BYTES } from './pieces.ts';

/* The second hash of a pack, in a thread of its own: it is told which stretch of the shared memory is next. */

const memory = Buffer.from(workerData as SharedArrayBuffer);
let hash = createHash('sha256');
parentPort?.on('message', (message: ToWorker) => {
  if (message === 'digest') {
    parentPort?.postMessage({ digest: hash.digest('hex') } satisfies FromWorker);
    hash = createHash('sha256');
    return;
  }
  const start = message.slot * READ_BYTES;
  hash.update(memory.subarray(start, start + message.length));
  parentPort?.postMessage({ slot: message.slot } satisfies FromWorker);
});
