import { existsSync, realpathSync, rmSync, statSync } from 'node:fs';
import { chown } from 'node:fs/promises';
import { join } from 'node:path';
import { DelosError } from '@delos/core';
import { run, tryRead, tryWhich, writeAtomic } from '@delos/host';
import { z } from 'zod';
import { certificatesIn } from './gateway-certificate.ts';
import { withBlock, withoutBlock } from './trust-block.ts';

/** Where a bundle was put, and by which name: into the file of a Python's `certifi`, or into this machine's own store. */
export const trustPlace = z.object({ kind: z.enum(['certifi', 'system']), path: z.string(), name: z.string() });
export type TrustPlace = z.infer<typeof trustPlace>;

/** Folders that a system takes further authorities from, and the command that does it. */
const STORES = [
  { folder: '/usr/local/share/ca-certificates', command: 'update-ca-certificates' },
  { folder: '/etc/pki/ca-trust/source/anchors', command: 'update-ca-trust' },
] as const;
/** Where Debian's own package of certifi points: a file that the system makes anew from its store. */
const MADE_BY_SYSTEM = /^\/etc\/(ssl|pki)\//;
const LIMIT_S = 60;

/**
 * The file that the certifi of a Python reads.
 * @param python its interpreter; left out: that of the `apolo` on PATH, else `python3`
 * @throws DelosError ERR_NOT_FOUND
 */
export async function certifiPlace(name: string, python?: string): Promise<TrustPlace> {
  const interpreter = python ?? (await pythonOfApolo()) ?? 'python3';
  const { code, stdout, stderr } = await run(interpreter, ['-c', 'import certifi; print(certifi.where())'], {
    limitSeconds: LIMIT_S,
  });
  const path = stdout.trim();
  if (code !== 0 || path === '') {
    throw new DelosError('ERR_NOT_FOUND', `${interpreter} has no certifi: ${stderr.trim().split('\n').at(-1) ?? ''}`, {
      hint: 'name the Python that apolo is installed in: `delos trust --install --python FOLDER/bin/python`',
    });
  }
  const real = realpathSync(path);
  if (!MADE_BY_SYSTEM.test(real)) return { kind: 'certifi', path: real, name };
  throw new DelosError('ERR_NOT_FOUND', `the certifi of ${interpreter} reads the store of this machine, ${real}`, {
    hint: '`delos trust --install --system` adds to that store',
  });
}

/** The interpreter that a script named `apolo` on PATH runs in. */
async function pythonOfApolo(): Promise<string | undefined> {
  const script = await tryWhich('apolo');
  const head = script === undefined ? '' : (tryRead(script) ?? '').slice(0, 1024);
  // Long paths stand on the second line, after a shell's exec.
  return /^#!(\/\S*python\S*)\s/.exec(head)?.[1] ?? /^'''exec' "?(\/[^"\n]*python[^"\s]*)/m.exec(head)?.[1];
}

/** @throws DelosError ERR_NOT_FOUND for a system without a store that we know */
export function systemPlace(name: string): TrustPlace {
  const store = STORES.find(({ folder }) => existsSync(folder));
  const file = `delos-${name.replaceAll(/[^\w.-]/g, '-')}`;
  if (store !== undefined) return { kind: 'system', path: join(store.folder, file), name };
  throw new DelosError('ERR_NOT_FOUND', 'this machine has no store of certificates that delos knows', {
    hint: `expected ${STORES.map(({ folder }) => folder).join(' or ')}`,
  });
}

/** Puts the bundle there, in place of an earlier one. @returns whether anything was changed */
export async function install(place: TrustPlace, pem: string): Promise<boolean> {
  if (place.kind === 'certifi') return await change(place.path, (text) => withBlock(text, place.name, pem));
  const before = systemFiles(place).map((file) => [file, tryRead(file)] as const);
  const wanted = new Map(certificatesIn(pem).map((one, nth) => [`${place.path}-${nth + 1}.crt`, one.toString()]));
  const same = before.length === wanted.size && before.every(([file, text]) => wanted.get(file) === text);
  if (same) return false;
  for (const [file] of before) attempt(file, () => rmSync(file, { force: true }));
  for (const [file, text] of wanted) attempt(file, () => writeAtomic(file, text, 0o644));
  await refreshStore(place);
  return true;
}

/** Takes out exactly what {@link install} has put there. @returns whether anything was changed */
export async function remove(place: TrustPlace): Promise<boolean> {
  if (place.kind === 'certifi') return await change(place.path, (text) => withoutBlock(text, place.name));
  const files = systemFiles(place);
  if (files.length === 0) return false;
  for (const file of files) attempt(file, () => rmSync(file, { force: true }));
  await refreshStore(place);
  return true;
}

/** A bundle has one or two authorities, and a store takes one from each file. */
const systemFiles = ({ path }: TrustPlace): readonly string[] =>
  [1, 2].map((nth) => `${path}-${nth}.crt`).filter((file) => existsSync(file));

async function refreshStore({ path }: TrustPlace): Promise<void> {
  const command = STORES.find(({ folder }) => path.startsWith(`${folder}/`))?.command ?? '';
  const { code, stderr } = await run(command, [], { limitSeconds: LIMIT_S });
  if (code === 0) return;
  throw new DelosError('ERR_PREFLIGHT', `${command} failed: ${stderr.trim().split('\n').at(-1) ?? ''}`, {
    hint: `run \`${command}\` yourself: the files in its folder are as they should be`,
  });
}

/** A file that went with its Python is one that nothing has to be taken out of. */
async function change(path: string, to: (text: string) => string): Promise<boolean> {
  const text = tryRead(path);
  if (text === undefined) return false;
  const changed = to(text);
  if (changed === text) return false;
  // A new file in its place: package managers link one file into several environments.
  const { mode, uid, gid } = statSync(path);
  attempt(path, () => writeAtomic(path, changed, mode & 0o777));
  if (process.getuid?.() === 0) await chown(path, uid, gid);
  return true;
}

function attempt(path: string, deed: () => void): void {
  try {
    deed();
  } catch (cause) {
    const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    throw new DelosError('ERR_PREFLIGHT', `${path} cannot be changed (${reason})`, {
      where: { file: path },
      hint: 'run the same command as the user whom it belongs to',
      cause,
    });
  }
}
