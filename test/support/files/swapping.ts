import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { z } from 'zod';

/*
 * A job that changes what a name leads to, as fast as it can: the folder `x` and the link `link` take turns at being `x`. Told
 * anything, it ends and says how often it did so.
 */

const { folder } = z.object({ folder: z.string() }).parse(workerData);
const at = (name: string): string => join(folder, name);

let turns = 0;
let over = false;
parentPort?.once('message', () => {
  over = true;
});

/** In between somebody may have made a folder of that name. */
function becomesX(name: string): void {
  for (;;) {
    try {
      renameSync(at(name), at('x'));
      return;
    } catch {
      removeX();
    }
  }
}

function removeX(): void {
  try {
    rmSync(at('x'), { recursive: true, force: true });
  } catch {
    // Somebody has made something in it just now.
  }
}

function turn(): void {
  for (let nth = 0; nth < 200; nth += 1) {
    renameSync(at('x'), at('folder'));
    becomesX('link');
    renameSync(at('x'), at('link'));
    becomesX('folder');
    turns += 1;
  }
  if (over) parentPort?.postMessage(turns);
  else setImmediate(turn);
}
turn();
