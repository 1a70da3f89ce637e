import { readdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { arch, cpus, release, totalmem, version } from 'node:os';
import { join } from 'node:path';
import { podsApart, SERVICES } from '@delos/constructs';
import { RELEASE } from '@delos/core';
import { pulumiHome } from '@delos/stacks';
import type { CommandContext } from '../../context.ts';
import { chooseCluster } from '../../instance/engine.ts';
import { recordedConfig } from '../../instance/settings.ts';
import { statusDocument } from '../observe/status.ts';
import { FILE_BYTES, type Source } from './bounds.ts';

/** What this machine knows of an instance: its configuration, its status, what a preflight finds, logs of the node's parts. */
export async function machineSources(context: CommandContext): Promise<readonly Source[]> {
  const config = await recordedConfig(context);
  const { preflight } = await import('@delos/cluster');
  const logs = join(context.paths.state, 'logs');
  const json = (path: string, read: () => Promise<unknown>): Source => ({
    path,
    read: async () => JSON.stringify(await read(), undefined, 2),
  });
  return [
    json('machine.json', async () => ({
      delos: RELEASE,
      node: process.version,
      instance: context.paths.instance,
      kernel: `${release()} ${arch()} ${version()}`,
      cpus: cpus().length,
      memoryBytes: totalmem(),
    })),
    json('config.json', async () => config),
    json('status.json', () => statusDocument(context, false)),
    json('preflight.json', async () => {
      const choice = await chooseCluster(context, config, undefined);
      return await preflight(choice.config, choice.options, podsApart(config, SERVICES));
    }),
    ...logsIn(logs, 'logs/node'),
    // Of further embedded nodes.
    ...namesIn(logs)
      .filter((name) => /^node-\d+$/.test(name))
      .flatMap((name) => logsIn(join(logs, name), `logs/${name}`)),
    ...logsIn(join(pulumiHome(context.paths).root, 'logs'), 'logs/stack'),
  ];
}

function logsIn(folder: string, path: string): readonly Source[] {
  return namesIn(folder)
    .filter((name) => /\.log(\.\d+)?$/.test(name))
    .map((name) => ({ path: `${path}/${name}`, read: () => tailOfFile(join(folder, name)) }));
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** The end of a file, however long the file is. */
async function tailOfFile(path: string): Promise<string> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const length = Math.min(size, 2 * FILE_BYTES);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}
