import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';

/*
 * The launcher runs this where a bundle brings the npm packages: there is nothing to import yet but Node itself. What a package is, the
 * checkout's own package-lock.json says, by sha512. So nothing of the bundle has to be believed here: who signed it is judged by the
 * command, which starts on these packages.
 *
 * Arguments: root of the checkout, folder of the bundle.
 */

/** As much as an index may have, and as a package may. */
const MOST_INDEX_BYTES = 64 * 2 ** 20;
const MOST_PACKAGE_BYTES = 128 * 2 ** 20;
const BLOCK = 512;

interface Locked {
  readonly version?: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly link?: boolean;
  readonly dev?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
  readonly bin?: Readonly<Record<string, string>>;
}

interface Index {
  readonly items: readonly {
    readonly kind: string;
    readonly parts: readonly string[];
    readonly about?: Readonly<Record<string, string>>;
  }[];
  readonly packs: readonly {
    readonly digest: string;
    readonly pieces: readonly { readonly blob: string; readonly size: number }[];
  }[];
}

const [, , root = '', bundle = ''] = process.argv;
try {
  unpackAll(readLock(), readIndex());
} catch (error) {
  process.stderr.write(`delos: error: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 5;
}

function unpackAll(lock: Readonly<Record<string, Locked>>, index: Index): void {
  const blobs = new Map(
    index.items.flatMap(({ kind, parts, about }) => {
      const [integrity, blob] = [about?.integrity, parts.at(-1)];
      return kind !== 'npm' || integrity === undefined || blob === undefined ? [] : [[integrity, blob] as const];
    }),
  );
  const wanted = Object.entries(lock).filter(([path, locked]) => path.includes('node_modules/') && isNeeded(locked));
  const lacking = wanted.filter(([, { integrity }]) => integrity !== undefined && !blobs.has(integrity));
  if (lacking.length > 0) {
    const names = lacking.map(
      ([path, { version }]) => `${path.split('node_modules/').at(-1) ?? path} ${version ?? ''}`,
    );
    throw new Error(
      `${bundle} lacks ${lacking.length} of the npm packages that this checkout pins: ${names.slice(0, 5).join(', ')}; take the checkout that the bundle was made of`,
    );
  }
  const spans = spansOf(index);
  rmSync(join(root, 'node_modules'), { recursive: true, force: true });
  // Parents come before what lies in them.
  for (const [path, locked] of wanted.toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const target = join(root, path);
    if (locked.link === true) {
      mkdirSync(dirname(target), { recursive: true });
      symlinkSync(relative(dirname(target), join(root, locked.resolved ?? '')), target);
      continue;
    }
    if (locked.integrity === undefined) continue;
    unpack(verified(path, locked.integrity, blobs.get(locked.integrity) ?? '', spans), target, path);
    for (const [name, file] of Object.entries(locked.bin ?? {})) linkCommand(target, path, name, file);
  }
}

/** The same choice as that of whoever makes a bundle (content/npm.ts). */
function isNeeded({ dev, os, cpu, libc }: Locked): boolean {
  const isFor = (list: readonly string[] | undefined, own: string): boolean =>
    list === undefined ||
    ((list.includes(own) || !list.some((each) => !each.startsWith('!'))) && !list.includes(`!${own}`));
  return dev !== true && isFor(os, 'linux') && isFor(cpu, 'x64') && isFor(libc, 'glibc');
}

/** Where each blob lies: pack, first byte, length. */
function spansOf({ packs }: Index): ReadonlyMap<string, readonly (readonly [string, number, number])[]> {
  const spans = new Map<string, (readonly [string, number, number])[]>();
  for (const { digest, pieces } of packs) {
    let at = 0;
    for (const { blob, size } of pieces) {
      spans.set(blob, [...(spans.get(blob) ?? []), [digest, at + BLOCK, size]]);
      at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
    }
  }
  return spans;
}

function verified(path: string, integrity: string, blob: string, spans: ReturnType<typeof spansOf>): Buffer {
  const own = spans.get(blob) ?? [];
  const total = own.reduce((sum, [, , size]) => sum + size, 0);
  if (!(total <= MOST_PACKAGE_BYTES)) throw new Error(`${path}: ${total} bytes are too many for a package`);
  const bytes = Buffer.alloc(total);
  let done = 0;
  for (const [pack, at, size] of own) {
    const file = join(bundle, 'packs', `${pack.replace(':', '-')}.tar`);
    const handle = openSync(file, 'r');
    try {
      done += readSync(handle, bytes, done, size, at);
    } finally {
      closeSync(handle);
    }
  }
  const found = `sha512-${createHash('sha512').update(bytes).digest('base64')}`;
  if (found === integrity) return bytes;
  throw new Error(
    `${path}: its package in ${bundle} has ${found}, expected ${integrity} (package-lock.json); copy the bundle again: delos bundle verify tells which pack`,
  );
}

/** tar refuses names that lead out of the folder. */
function unpack(archive: Buffer, target: string, path: string): void {
  mkdirSync(target, { recursive: true });
  const options = ['-xz', '--strip-components=1', '--no-same-owner', '--mode=u+rwX,go+rX', '-C', target];
  const { status, stderr, error } = spawnSync('tar', options, { input: archive });
  if (status === 0) return;
  throw new Error(`${path} could not be unpacked: ${error?.message ?? stderr.toString('utf8').slice(0, 300)}`);
}

function linkCommand(target: string, path: string, name: string, file: string): void {
  const folder = join(root, path.slice(0, path.lastIndexOf('node_modules/')), 'node_modules/.bin');
  mkdirSync(folder, { recursive: true });
  const command = join(target, file);
  if (statSync(command, { throwIfNoEntry: false }) === undefined) return;
  chmodSync(command, 0o755);
  rmSync(join(folder, name), { force: true });
  symlinkSync(relative(folder, command), join(folder, name));
}

function readLock(): Readonly<Record<string, Locked>> {
  return (JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as { packages: Record<string, Locked> })
    .packages;
}

function readIndex(): Index {
  const file = join(bundle, 'bundle.json');
  const found = statSync(file, { throwIfNoEntry: false });
  if (found === undefined) throw new Error(`${file} is not there: ${bundle} is no bundle`);
  if (found.size > MOST_INDEX_BYTES) throw new Error(`${file} is too long for an index`);
  const index = JSON.parse(readFileSync(file, 'utf8')) as Index;
  if (Array.isArray(index.items) && Array.isArray(index.packs)) return index;
  throw new Error(`${file} is no index of a bundle`);
}
