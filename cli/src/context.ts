import { DEFAULT_INSTANCE, type InstancePaths, instancePaths, type Progress } from '@delos/core';
import { progressFor } from './progress.ts';

/** What every command gets beside its own arguments. */
export interface CommandContext {
  readonly paths: InstancePaths;
  readonly json: boolean;
  readonly yes: boolean;
  readonly progress: Progress;
  /** Aborted by the first SIGINT or SIGTERM; a second one ends the process at once. */
  readonly signal: AbortSignal;
  /** Repository root: where the rooms and the images' contexts lie. */
  readonly root: string;
  /** Prints the result: the JSON document with --json, else the text. */
  result(document: unknown, text: string): void;
}

export interface GlobalOptions {
  readonly instance?: string;
  readonly json?: boolean;
  readonly yes?: boolean;
}

const controller = new AbortController();

/** Whether the process was told to stop. */
export const stopping = (): boolean => controller.signal.aborted;

export function commandContext(options: GlobalOptions, root: string): CommandContext {
  const stop = (): void => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  const json = options.json ?? false;
  return {
    paths: instancePaths(options.instance ?? process.env.DELOS_INSTANCE ?? DEFAULT_INSTANCE, process.env),
    json,
    yes: options.yes ?? false,
    progress: progressFor(process.stderr),
    signal: controller.signal,
    root,
    result: (document, text) => {
      process.stdout.write(json ? `${JSON.stringify(document)}\n` : text === '' ? '' : `${text.trimEnd()}\n`);
    },
  };
}
