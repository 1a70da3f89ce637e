import { readdirSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { tryCommand } from '@delos/host';

const BLOCK = '/sys/block';

/** Files of disks in a folder. */
export function imagesOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder).filter((name) => name.endsWith('.img'));
  } catch {
    return [];
  }
}

/** Loop devices of the machine whose file lies, or lay, in this folder. */
export function loopsOf(folder: string): readonly string[] {
  const real = realOf(folder);
  return readdirSync(BLOCK).flatMap((name) => {
    if (!/^loop\d+$/.test(name)) return [];
    const file = backingFile(name);
    return file !== undefined && [folder, real].includes(dirname(file)) ? [`/dev/${name}`] : [];
  });
}

/** Detaches them; one that is still mounted somewhere goes with its last mount. */
export async function releaseLoops(folder: string): Promise<void> {
  for (const device of loopsOf(folder)) await tryCommand('losetup', ['--detach', device]);
}

function backingFile(name: string): string | undefined {
  try {
    const path = readFileSync(join(BLOCK, name, 'loop/backing_file'), 'utf8').trim();
    return path.replace(/ \(deleted\)$/, '');
  } catch {
    return undefined;
  }
}

function realOf(folder: string): string {
  try {
    return realpathSync(folder);
  } catch {
    return folder;
  }
}
