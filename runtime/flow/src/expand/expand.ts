import type { FlowFile } from '../file/parse.ts';
import type { Diagnostic } from '../file/report.ts';
import { expandBatch } from './batch.ts';
import { lint } from './checks/lint.ts';
import type { ImageDefinition } from './contexts/images.ts';
import { Files, type World } from './contexts/world.ts';
import type { ExpandedTask } from './expanded-task.ts';
import { expandLive } from './live.ts';

export interface Expansion {
  readonly tasks: readonly ExpandedTask[];
  /** Images that the flow and its actions define; of batch flows only. */
  readonly images: readonly ImageDefinition[];
  /** Diagnostics of the file and of the files that it uses, by file and position. */
  readonly diagnostics: readonly Diagnostic[];
  readonly ok: boolean;
  readonly used: UsedFiles;
}

/** The files that an expansion has read beside the flow's own. */
export interface UsedFiles {
  readonly project: FlowFile | undefined;
  /** Actions and modules, by their references as they are written. */
  readonly actions: ReadonlyMap<string, FlowFile>;
}

/**
 * A flow as the graph of concrete tasks, and all that is wrong with it: what the authority refuses when it reads the
 * file, sets the flow up and checks it before a bake, and what would fail later without fail.
 *
 * @param name of the flow where the file gives no `id`: that of the file
 */
export function expandFlow(file: FlowFile, name: string, world: World): Expansion {
  const files = new Files(world);
  const { block } = file;
  let tasks: readonly ExpandedTask[] = [];
  let images: readonly ImageDefinition[] = [];
  if (block !== undefined) {
    const project = files.project();
    if (block.name === 'batchFlow') {
      ({ tasks, builds: images } = expandBatch(world, files, block, project?.block, name));
    } else if (block.name === 'liveFlow') tasks = expandLive(world, files, block, project?.block, name);
    lint(file, files.all(), tasks);
  }
  return {
    tasks,
    images,
    ...verdict([file, ...files.all()]),
    used: { project: files.project(), actions: files.actions },
  };
}

/** The diagnostics of all reports. */
export function verdict(files: readonly FlowFile[]): {
  readonly diagnostics: readonly Diagnostic[];
  readonly ok: boolean;
} {
  const diagnostics = [...new Set(files)].flatMap(({ report }) => report.diagnostics());
  return { diagnostics, ok: !diagnostics.some(({ severity }) => severity === 'error') };
}
