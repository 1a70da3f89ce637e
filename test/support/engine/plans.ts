import type { BatchTask } from '@delos/engine';
import { expandFlow, parseFlowFile } from '@delos/flow';
import { PLACE } from '../flow/answer.ts';
import { ROOT, worldOf } from '../flow/cases.ts';

/** Where the flows of these tests run. */
export const HOME = { place: PLACE, project: PLACE.project };

/** Files of a workspace; `main` is the batch flow. */
export type FlowFiles = Readonly<Record<string, string>>;

/** The tasks of a flow. @throws Error with what is wrong with it */
export function tasksOf(files: FlowFiles, params: Readonly<Record<string, string>> = {}): readonly BatchTask[] {
  const file = parseFlowFile(`${ROOT}/main`, files.main ?? '', 'flow');
  const { tasks, diagnostics, ok } = expandFlow(file, 'main', { ...worldOf(files), params });
  if (!ok) throw new Error(diagnostics.map(({ file: at, line, message }) => `${at}:${line} ${message}`).join('\n'));
  return tasks.flatMap((task) => (task.run === undefined ? [] : [{ ...task, run: task.run }]));
}
