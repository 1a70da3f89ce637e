import { tryReadJson, writeAtomic } from '@delos/host';
import { z } from 'zod';

/** Something that an instance makes on the machine, outside its own state folder. */
export const inventoryItem = z.discriminatedUnion('kind', [
  /** Processes that carry this word as an argument. */
  z.object({ kind: z.literal('processes'), marker: z.string() }),
  z.object({ kind: z.literal('link'), name: z.string() }),
  z.object({ kind: z.literal('table'), family: z.literal('ip'), name: z.string() }),
  /** A path below every cgroup hierarchy. */
  z.object({ kind: z.literal('cgroup'), path: z.string() }),
  /** Loop devices whose files lie in this folder. */
  z.object({ kind: z.literal('loops'), folder: z.string() }),
  /** A setting of the machine that was changed, with what it was before. */
  z.object({ kind: z.literal('sysctl'), name: z.string(), before: z.string() }),
]);
export type InventoryItem = z.infer<typeof inventoryItem>;

const inventory = z.object({ items: z.array(inventoryItem) });

export function readInventory(path: string): readonly InventoryItem[] {
  return tryReadJson(path, inventory)?.items ?? [];
}

const sameItem = (left: InventoryItem, right: InventoryItem) =>
  left.kind === 'sysctl' && right.kind === 'sysctl'
    ? left.name === right.name
    : JSON.stringify(left) === JSON.stringify(right);

/** Adds what is about to be made; call it before making it. What is there already stays where it is. */
export function record(path: string, items: readonly InventoryItem[]): void {
  const known = readInventory(path);
  const fresh = items.filter((item) => !known.some((other) => sameItem(item, other)));
  if (fresh.length > 0) writeAtomic(path, JSON.stringify({ items: [...known, ...fresh] }, null, 1));
}

/** Takes one item off, after its removal was seen. */
export function strike(path: string, item: InventoryItem): void {
  const items = readInventory(path).filter((other) => !sameItem(item, other));
  writeAtomic(path, JSON.stringify({ items }, null, 1));
}
