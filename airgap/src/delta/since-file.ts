import { statSync } from 'node:fs';
import { readFile as readWhole } from 'node:fs/promises';
import { join } from 'node:path';
import { DelosError } from '@delos/core';
import { digestOf } from '../format/digest.ts';
import { FaultFound } from '../format/fault.ts';
import { INDEX_FILE, MOST_INDEX_BYTES } from '../format/index-schema.ts';
import { parseIndex } from '../read/open.ts';
import { parseInventory, type Since, sinceIndex, sinceInventory } from './inventory.ts';

/** What a delta builds on: the folder or index of an earlier bundle, or an inventory. @throws DelosError ERR_USAGE */
export async function readSince(given: string): Promise<Since> {
  const refuse = (what: string, cause?: unknown): DelosError =>
    new DelosError('ERR_USAGE', `${given} ${what}`, {
      where: { file: given },
      hint: 'expected the folder of an earlier bundle, its bundle.json, or what `delos bundle inventory` writes',
      cause,
    });
  try {
    const file = statSync(given).isDirectory() ? join(given, INDEX_FILE) : given;
    if (statSync(file).size > MOST_INDEX_BYTES) throw refuse('is too long for an index or an inventory');
    const bytes = await readWhole(file);
    const inventory = parseInventory(bytes);
    return inventory === undefined ? sinceIndex(parseIndex(bytes), digestOf(bytes)) : sinceInventory(inventory);
  } catch (cause) {
    if (cause instanceof DelosError) throw cause;
    if (cause instanceof FaultFound) throw refuse('is neither an index nor an inventory', cause);
    throw refuse(`cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
}
