import { writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { DelosError, parseYaml } from '@delos/core';
import {
  comparison,
  htmlReport,
  overlay,
  parseSwf,
  simulate,
  type Workload,
  workload,
  workloadFaults,
} from '@delos/runtime/simulator';
import type { CommandContext } from '../context.ts';
import { checked, readDocument, readText } from '../scheduling-document.ts';
import { table } from '../table.ts';

export interface WorkloadOptions {
  readonly workload?: readonly string[];
  readonly html?: string;
}

/** Runs workloads through the scheduler in simulated time and compares what became of them. */
export async function simulateWorkload(
  context: CommandContext,
  files: readonly string[],
  html: string | undefined,
): Promise<void> {
  const results = [];
  for (const file of files) {
    const given = await readWorkload(file);
    const done = context.progress.phase(given.title);
    results.push(simulate(given));
    done();
  }
  if (html !== undefined) await writeFile(html, htmlReport(results));
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

/** @throws DelosError with file, line and field */
async function readWorkload(file: string): Promise<Workload> {
  const source = { file, text: await readText(file) };
  if (file.endsWith('.swf')) {
    const log = parseSwf(source.text, basename(file));
    if ('message' in log) {
      const { line, field, message, hint } = log;
      throw new DelosError('ERR_CONFIG_VALUE', message, { where: { file, line, field }, hint });
    }
    return workload.parse(log.workload);
  }
  const base = file.endsWith('.json') ? undefined : baseOf(parseYaml(source).data);
  if (base === undefined) return readDocument(workload, source, workloadFaults);
  const { base: _, ...over } = parseYaml(source).data as Readonly<Record<string, unknown>>;
  const below = await readRaw(join(dirname(file), base));
  return checked(workload, file, overlay(below, over), workloadFaults);
}

async function readRaw(file: string): Promise<unknown> {
  const { data } = parseYaml({ file, text: await readText(file) });
  const base = baseOf(data);
  if (base === undefined) return data;
  const { base: _, ...over } = data as Readonly<Record<string, unknown>>;
  return overlay(await readRaw(join(dirname(file), base)), over);
}

/** `base: FILE`: the workload is that file's, with the changes that follow. */
function baseOf(data: unknown): string | undefined {
  const base = typeof data === 'object' && data !== null && 'base' in data ? data.base : undefined;
  return typeof base === 'string' ? base : undefined;
}
