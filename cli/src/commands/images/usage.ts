import { z } from 'zod';
import type { CommandContext } from '../../context.ts';
import { table } from '../../table.ts';
import { askRegistry, mib } from './ask.ts';

/** What the images of each project take, the largest first. */
export async function run(context: CommandContext): Promise<void> {
  const used = await askRegistry(context, z.record(z.string(), z.number()), ['usage']);
  const projects = Object.entries(used)
    .map(([project, bytes]) => ({ project, bytes }))
    .sort((a, b) => b.bytes - a.bytes || (a.project < b.project ? -1 : 1));
  const rows = projects.map(({ project, bytes }) => [project, mib(bytes)]);
  context.result({ projects }, table(['PROJECT', 'IMAGES'], rows));
}
