import type { BakeImage, BatchTask } from '@delos/engine';
import { expandFlow, parseFlowFile } from '@delos/flow';
import { PLACE } from '../flow/answer.ts';
import { ROOT, worldOf } from '../flow/cases.ts';

/** Where the flows of these tests run. */
export const HOME = { place: PLACE, project: PLACE.project };

/** Files of a workspace; `main` is the batch flow. */
export type FlowFiles = Readonly<Record<string, string>>;

/** A flow as the engine takes it. */
export interface Plan {
  readonly tasks: readonly BatchTask[];
  readonly images: readonly BakeImage[];
}

/** @throws Error with what is wrong with the flow */
export function planOf(files: FlowFiles, params: Readonly<Record<string, string>> = {}): Plan {
  const file = parseFlowFile(`${ROOT}/main`, files.main ?? '', 'flow');
  const { tasks, images, diagnostics, ok } = expandFlow(file, 'main', { ...worldOf(files), params });
  if (!ok) throw new Error(diagnostics.map(({ file: at, line, message }) => `${at}:${line} ${message}`).join('\n'));
  const refs = [...new Set(images.map(({ ref }) => ref))];
  return {
    tasks: tasks.flatMap((task) => (task.run === undefined ? [] : [{ ...task, run: task.run }])),
    images: refs.map((ref) => ({
      ...{ ref, definitions: images.filter((image) => image.ref === ref), context: null, dockerfile: null },
      ...{ status: 'pending', jobId: null },
    })),
  };
}

/** The tasks of a flow. @throws Error with what is wrong with it */
export const tasksOf = (files: FlowFiles, params: Readonly<Record<string, string>> = {}): readonly BatchTask[] =>
  planOf(files, params).tasks;
