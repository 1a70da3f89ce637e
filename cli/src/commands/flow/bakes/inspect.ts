import { writeFileSync } from 'node:fs';
import type { BakeReport } from '@delos/core';
import type { CommandContext } from '../../../context.ts';
import { type PlatformOptions, withPlatform } from './access.ts';
import { follow } from './follow.ts';
import { allOf } from './frame.ts';
import { bakeNamed, type FlowPlace, pictureOf, reportOf } from './questions.ts';

export interface InspectOptions extends PlatformOptions, FlowPlace {
  readonly attempt?: number;
  readonly svg?: string;
  readonly follow: boolean;
}

/** Tells what became of a bake; draws it with `--svg`. */
export async function run(context: CommandContext, bake: string, options: InspectOptions): Promise<void> {
  await withPlatform(context, options, async (client) => {
    const id = await bakeNamed(client, bake, options);
    let report = await reportOf(client, id, options.attempt);
    if (options.follow) report = await follow(context, client, id, report.number);
    if (options.svg !== undefined) writeFileSync(options.svg, await pictureOf(client, id, options.attempt));
    const drawn = options.svg === undefined ? [] : [`drawn: ${options.svg}`];
    context.result(report, [...allOf(report), ...origins(report), ...drawn].join('\n'));
  });
}

/** Where results come from that this bake did not make, and what its jobs could write. */
function origins(report: BakeReport): string[] {
  return report.tasks.flatMap(({ id, lineage }) => {
    if (lineage === null) return [];
    const from = lineage.bake === report.id ? [] : [`from ${lineage.bake}, attempt ${lineage.attempt}`];
    const wrote = lineage.writes.length === 0 ? [] : [`wrote to ${lineage.writes.join(', ')}`];
    const told = [...from, ...wrote];
    return told.length === 0 ? [] : [`${id}: ${told.join('; ')}`];
  });
}
