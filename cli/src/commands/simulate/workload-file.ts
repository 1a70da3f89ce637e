import { basename, dirname, join, resolve } from 'node:path';
import { DelosError, parseYaml, type YamlDocument } from '@delos/core';
import { overlay, type SwfFault, SwfReader, type Workload, workload, workloadFaults } from '@delos/simulator';
import { eachLine } from './lines.ts';
import { checked, type Places, readDocument, readText } from './scheduling-document.ts';

/** A workload, and what of its file was left out. */
export interface WorkloadFile {
  readonly given: Workload;
  readonly note: string | undefined;
}

/** A workload, one laid over others, or a log, compressed or not. @throws DelosError with file, line and field */
export async function readWorkload(file: string): Promise<WorkloadFile> {
  if (file.endsWith('.swf') || file.endsWith('.swf.gz')) return readLog(file);
  const source = { file, text: await readText(file) };
  if (file.endsWith('.json')) return { given: readDocument(workload, source, workloadFaults), note: undefined };
  const layers = await readLayers(file, []);
  if (layers.length === 1) return { given: readDocument(workload, source, workloadFaults), note: undefined };
  const data = layers.map(dataOf).reduceRight((below, over) => overlay(below, over), undefined as unknown);
  return { given: checked(workload, data, placesIn(layers, data), workloadFaults), note: undefined };
}

async function readLog(file: string): Promise<WorkloadFile> {
  const reader = new SwfReader();
  await eachLine(file, (line) => {
    const fault = reader.read(line);
    if (fault !== undefined) throw asError(file, fault);
  });
  const log = reader.end(basename(file));
  if ('message' in log) throw asError(file, log);
  const left = log.skipped === 1 ? '1 job is left out' : `${log.skipped} jobs are left out`;
  return {
    given: workload.parse(log.workload),
    note: log.skipped === 0 ? undefined : `${file}: ${left}, which never ran or ask for more than the machine has`,
  };
}

function asError(file: string, { line, field, message, hint }: SwfFault): DelosError {
  return new DelosError('ERR_CONFIG_VALUE', message, { where: { file, line, field }, hint });
}

/** A document and those that it is based on, the topmost first. `above` are the files that led here. */
async function readLayers(file: string, above: readonly string[]): Promise<readonly YamlDocument[]> {
  const document = parseYaml({ file, text: await readText(file) });
  const base = baseOf(document);
  if (base === undefined) return [document];
  const below = join(dirname(file), base);
  const way = [...above, file];
  if (way.some((each) => resolve(each) === resolve(below))) {
    throw new DelosError('ERR_CONFIG_VALUE', `the file is based on itself: ${[...way, below].join(' → ')}`, {
      where: { ...document.valueAt(['base']), field: 'base' },
      hint: 'leave out the base of one of them',
    });
  }
  return [document, ...(await readLayers(below, way))];
}

/** `base: FILE`: the workload is that file's, with the changes that follow. */
function baseOf({ data }: YamlDocument): string | undefined {
  const base = typeof data === 'object' && data !== null && 'base' in data ? data.base : undefined;
  return typeof base === 'string' ? base : undefined;
}

function dataOf(document: YamlDocument): unknown {
  if (baseOf(document) === undefined) return document.data;
  const { base: _, ...rest } = document.data as Readonly<Record<string, unknown>>;
  return rest;
}

/**
 * Where a value stands: in the topmost layer that has it, or else in one that has the object in which it is missing.
 */
function placesIn(layers: readonly YamlDocument[], whole: unknown): Places {
  return (path) => {
    for (let length = path.length; length > 0; length -= 1) {
      for (const layer of layers) {
        const own = pathIn(layer, whole, path);
        if (own !== undefined && isThere(layer.data, own.slice(0, length))) return layer.valueAt(own);
      }
    }
    return { file: layers[0]?.file ?? '' };
  };
}

/** The same place within one layer. Items of a list are found by name. Undefined where the layer has no such place. */
function pathIn(layer: YamlDocument, whole: unknown, path: readonly PropertyKey[]): readonly PropertyKey[] | undefined {
  const [list, index, ...rest] = path;
  if (typeof index !== 'number') return path;
  const name = nameOf(step(step(whole, list), index));
  const own = step(layer.data, list);
  const at = name === undefined || !Array.isArray(own) ? -1 : own.findIndex((each) => nameOf(each) === name);
  return at < 0 ? undefined : [list as PropertyKey, at, ...rest];
}

function isThere(data: unknown, path: readonly PropertyKey[]): boolean {
  return path.reduce((here, key) => step(here, key), data) !== undefined;
}

function step(data: unknown, key: PropertyKey | undefined): unknown {
  return typeof data === 'object' && data !== null && key !== undefined
    ? (data as Readonly<Record<PropertyKey, unknown>>)[key]
    : undefined;
}

function nameOf(thing: unknown): unknown {
  return step(thing, 'name') ?? step(thing, 'id');
}
