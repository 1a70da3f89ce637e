import { writeFile } from 'node:fs/promises';
import { DelosError } from '@delos/core';
import { comparison, htmlReport, simulate } from '@delos/simulator';
import type { CommandContext } from '../../context.ts';
import { table } from '../../table.ts';
import { readWorkload } from './workload-file.ts';

export interface WorkloadOptions {
  readonly workload?: readonly string[];
  readonly html?: string;
}

/** Runs workloads through the scheduler in simulated time, and compares the results. */
export async function simulateWorkload(
  context: CommandContext,
  files: readonly string[],
  html: string | undefined,
): Promise<void> {
  const results = [];
  for (const file of files) {
    const { given, note } = await readWorkload(file);
    if (note !== undefined) context.progress.warn(note);
    const done = context.progress.phase(given.title);
    results.push(simulate(given));
    done();
  }
  if (html !== undefined) await writeReport(html, htmlReport(results));
  const { head, rows } = comparison(results);
  const document = {
    workloads: results.map(({ title, metrics: { series: _, ...metrics }, cycles, decisions }) => ({
      title,
      ...metrics,
      cycles,
      decisions,
    })),
    ...(html === undefined ? {} : { html }),
  };
  context.result(document, table(head, rows));
}

async function writeReport(file: string, page: string): Promise<void> {
  try {
    await writeFile(file, page);
  } catch (cause) {
    throw new DelosError('ERR_USAGE', `the report cannot be written: ${(cause as Error).message}`, {
      where: { file },
      hint: 'name a file in a folder that is there and that you may write to',
      cause,
    });
  }
}
