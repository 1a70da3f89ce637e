import { createHash } from 'node:crypto';
import { chmod, mkdir, open, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PathProbe, ToolSpec } from '@delos/artifacts';
import { run, tryWhich } from '@delos/host';
import { fits } from './version.ts';

export interface Found {
  readonly path: string;
  readonly version: string;
}

/** The commands of a probe, each with its path, when all of them are on PATH and fit. */
export async function tryOnPath(
  spec: ToolSpec,
  env: Readonly<Record<string, string | undefined>>,
): Promise<readonly (Found & { readonly command: string })[] | undefined> {
  const probe: PathProbe | undefined = spec.onPath;
  if (probe === undefined) return undefined;
  const found: (Found & { command: string })[] = [];
  for (const wanted of probe.commands) {
    const path = await tryWhich(wanted.command, env);
    if (path === undefined) return undefined;
    const { code, stdout, stderr } = await run(path, wanted.args, { env, limitSeconds: 20 });
    const version = wanted.pattern.exec(`${stdout}\n${stderr}`)?.[1];
    if (code !== 0 || version === undefined || !fits(version, spec.version, wanted)) return undefined;
    if (probe.static === true && !(await isStatic(path))) return undefined;
    found.push({ command: wanted.command, path, version: version.replace(/^v/, '') });
  }
  return found;
}

/** Makes one command of several in a folder: it becomes the one that its own name or its first argument says. */
export async function writeDispatcher(folder: string, name: string): Promise<void> {
  const text = `#!/bin/sh
# One command for several in this folder: by its own name or its first argument.
here=$(dirname -- "$(readlink -f -- "$0")")
name=$(basename -- "$0")
if [ "$name" = ${name} ]; then name=\${1:-}; [ $# -gt 0 ] && shift; fi
case $name in ''|*/*) echo "usage: ${name} COMMAND [arguments]" >&2; exit 2 ;; esac
[ -x "$here/bin/$name" ] || { echo "${name}: no command $name" >&2; exit 2; }
exec "$here/bin/$name" "$@"
`;
  await writeFile(join(folder, name), text);
  await chmod(join(folder, name), 0o755);
}

/** Links commands from PATH below a dispatcher. */
export async function linkCommands(
  folder: string,
  commands: readonly { readonly command: string; readonly path: string }[],
): Promise<void> {
  await mkdir(join(folder, 'bin'), { recursive: true });
  for (const { command, path } of commands) await symlink(path, join(folder, 'bin', command));
}

/** Cache key of a set of commands on PATH. */
export function commandsKey(commands: readonly { readonly path: string; readonly version: string }[]): string {
  return createHash('sha256').update(JSON.stringify(commands)).digest('hex').slice(0, 12);
}

/** True for an ELF executable without PT_INTERP, i.e. one that needs no dynamic linker (System V ABI, chapter 5). */
async function isStatic(path: string): Promise<boolean> {
  const file = await open(path, 'r');
  try {
    const header = Buffer.alloc(64);
    await file.read(header, 0, 64, 0);
    if (header.readUInt32BE(0) !== 0x7f454c46 || header[4] !== 2) return false;
    const offset = Number(header.readBigUInt64LE(32));
    const size = header.readUInt16LE(54);
    const count = header.readUInt16LE(56);
    const table = Buffer.alloc(size * count);
    await file.read(table, 0, table.length, offset);
    const interpreter = 3;
    for (let index = 0; index < count; index += 1) if (table.readUInt32LE(index * size) === interpreter) return false;
    return true;
  } finally {
    await file.close();
  }
}
