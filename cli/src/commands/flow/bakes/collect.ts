import { existsSync, readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type BakeSubmissionInput, DelosError } from '@delos/core';
import { type FlowFile, fieldOf, parseFlowFile } from '@delos/flow';
import type { CommandContext } from '../../../context.ts';
import { tryExpand } from '../expansion.ts';
import { utf8Text } from '../files.ts';
import { type FlowOptions, flowName, workspaceOf, worldOf } from '../world.ts';

/**
 * All that a bake is made of, from its files; undefined, with everything said and the exit code set, where they have
 * errors.
 * @throws DelosError ERR_USAGE, ERR_NOT_FOUND
 */
export function collect(context: CommandContext, path: string, options: FlowOptions): BakeSubmissionInput | undefined {
  const file = resolve(batchIn(path));
  const expansion = tryExpand(context, file, options);
  if (expansion === undefined) return undefined;
  const local = expansion.tasks.find(({ kind }) => kind === 'local');
  if (local !== undefined) {
    throw new DelosError(
      'ERR_USAGE',
      `task ${local.id} is a local action, which runs on the machine of whoever bakes`,
      {
        hint: 'bake it by apolo-flow, which runs it there',
      },
    );
  }
  if (expansion.tasks.some(({ kind }) => kind === 'job')) {
    throw new DelosError('ERR_USAGE', `${path} is a live flow: its jobs are run one by one`, {
      hint: 'apolo-flow run JOB',
    });
  }
  const { project, actions } = expansion.used;
  const { params = {}, git } = worldOf(file, options);
  const root = options.workspace === undefined ? workspaceOf(file) : resolve(options.workspace);
  return {
    flow: constant(project, 'id') ?? folderId(root),
    project_name: constant(project, 'project_name') ?? null,
    batch: flowName(file),
    params,
    git_info: git === undefined ? null : { ...git, tags: git.tags.filter((tag) => tag !== '') },
    workspace: root,
    flow_file: { filename: file, content: utf8Text(file) },
    project_file: project === undefined ? null : sourceOf(project),
    action_files: Object.fromEntries([...actions].map(([reference, action]) => [reference, sourceOf(action)])),
  };
}

const sourceOf = ({ report }: FlowFile) => ({ filename: resolve(report.file), content: report.text });

const constant = (file: FlowFile | undefined, key: string): string | undefined => {
  const value = fieldOf(file?.block, key, 'expr')?.constant;
  return typeof value === 'string' && value !== '' ? value : undefined;
};

/** As apolo-flow names a flow that has no project file. */
function folderId(root: string): string {
  const folder = root.split('/').at(-1) ?? '';
  const stem = /^(.+?)\.[^.]*$/.exec(folder)?.[1] ?? folder;
  return stem.replaceAll('-', '_') || 'flow';
}

/** A file, the one batch flow of a folder, or one of the folder below this one by the name that apolo-flow knows it by. */
function batchIn(path: string): string {
  if (!existsSync(path)) return batchNamed(path);
  if (!statSync(path).isDirectory()) return path;
  const found = batchesUnder(path);
  if (found.length === 1 && found[0] !== undefined) return found[0];
  throw found.length === 0
    ? new DelosError('ERR_NOT_FOUND', `there is no batch flow in ${path}`, { hint: 'name its file' })
    : new DelosError('ERR_USAGE', `${path} has several batch flows: ${found.join(', ')}`, { hint: 'name one of them' });
}

function batchNamed(name: string): string {
  const batches = batchesUnder('.');
  // apolo-flow knows `a-b.yml` by `a_b`, too.
  const known = (text: string): string => text.replaceAll('-', '_');
  const found = batches.find((file) => known(flowName(file)) === known(name));
  if (found !== undefined) return found;
  const all = batches.map(flowName).join(', ');
  throw new DelosError('ERR_NOT_FOUND', `there is no file, folder or batch flow ${name}`, {
    hint: all === '' ? 'name a file, or a folder that has one' : `here are: ${all}`,
  });
}

/** Files of batch flows where apolo-flow looks for them from a folder, and in the folder itself. */
function batchesUnder(path: string): readonly string[] {
  const folders = ['.apolo', '.neuro', '.'].map((name) => join(path, name)).filter((folder) => existsSync(folder));
  return folders.flatMap((folder) =>
    readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.ya?ml$/.test(entry.name))
      .map((entry) => join(folder, entry.name))
      .filter(isBatch)
      .sort(),
  );
}

/** Actions of kind batch lie beside flows: their keys tell which is which. */
function isBatch(file: string): boolean {
  try {
    return parseFlowFile(file, utf8Text(file)).kind === 'batchFlow';
  } catch {
    return false;
  }
}
