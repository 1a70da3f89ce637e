import { type Block, EvalFault, PythonError, Waiting } from '@delos/flow';

/** Why a task has no value for something, with the place of the task in its file. What is no fault of the file is thrown on. */
export function reasonOf(error: unknown, source: Block): string {
  const known =
    error instanceof EvalFault ||
    error instanceof PythonError ||
    error instanceof Waiting ||
    error instanceof RangeError;
  if (!known) throw error;
  const { line } = source.report.position(source.start);
  const message = error instanceof Waiting ? `\`${error.waits}\` is not there` : error.message;
  return `${source.report.file}:${line}: ${message}`;
}
