import { tryReadJson, writeAtomic } from '@delos/host';
import { z } from 'zod';

/** What is asked of nodes beside running: by index. `host` reads it, and `up` forgets it. */
const wantedNodes = z.object({
  /** Shall not run. */
  stopped: z.array(z.number().int()).default([]),
  /** Run, and reach nothing. */
  cut: z.array(z.number().int()).default([]),
});
export type WantedNodes = z.infer<typeof wantedNodes>;

export const NOTHING_WANTED: WantedNodes = { stopped: [], cut: [] };

export function readWanted(path: string): WantedNodes {
  return tryReadJson(path, wantedNodes) ?? NOTHING_WANTED;
}

export function writeWanted(path: string, wanted: WantedNodes): void {
  writeAtomic(path, JSON.stringify(wanted));
}

/** With this node in one of the lists, or out of it. */
export function change(wanted: WantedNodes, list: keyof WantedNodes, index: number, within: boolean): WantedNodes {
  const others = wanted[list].filter((each) => each !== index);
  return { ...wanted, [list]: within ? [...others, index].sort((a, b) => a - b) : others };
}
