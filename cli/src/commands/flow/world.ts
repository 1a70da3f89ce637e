import { execFileSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { DelosError } from '@delos/core';
import {
  type Diagnostic,
  type FlowFile,
  parseFlowFile,
  Report,
  type Role,
  renderDiagnostic,
  type World,
} from '@delos/flow';
import { hashFiles, utf8Text } from './files.ts';
import { type ActionSource, fetchAction } from './repository-actions.ts';

/** What the flow commands are given beside a file. */
export interface FlowOptions {
  readonly param?: readonly string[];
  readonly workspace?: string;
  readonly actions?: string;
  /** Actions of repositories that are in no folder are fetched. @default they are not */
  readonly fetch?: ActionSource;
  readonly cluster: string;
  readonly org?: string;
  readonly project: string;
  readonly user: string;
}

const CONFIG_FOLDERS = ['.apolo', '.neuro'];

/** The folder that a flow belongs to: the one that holds its configuration folder, else its own. */
export function workspaceOf(file: string): string {
  const start = dirname(resolve(file));
  for (let folder = start; folder !== dirname(folder); folder = dirname(folder)) {
    if (CONFIG_FOLDERS.some((name) => existsSync(join(folder, name)))) return folder;
  }
  return start;
}

/** The world around a file, from its workspace and the options. @throws DelosError ERR_USAGE */
export function worldOf(file: string, options: FlowOptions): World {
  const root = options.workspace === undefined ? workspaceOf(file) : resolve(options.workspace);
  const git = gitFacts(root);
  const actions = options.actions === undefined ? undefined : resolve(options.actions);
  return {
    place: { cluster: options.cluster, org: options.org ?? null, project: options.project, user: options.user },
    workspace: { root, read: tryText, hashFiles },
    params: paramsOf(options.param ?? []),
    ...(git === undefined ? {} : { git }),
    resolveAction: (reference) => {
      const found = actions === undefined ? undefined : resolveAction(actions, reference);
      return found ?? (options.fetch === undefined ? undefined : fetchAction(reference, options.fetch));
    },
  };
}

function resolveAction(
  folder: string,
  reference: string,
): { readonly file: string; readonly text: string } | undefined {
  for (const name of ['action.yml', 'action.yaml']) {
    const file = join(folder, reference, name);
    const text = tryText(file);
    if (text !== undefined) return { file, text };
  }
  return undefined;
}

function tryText(path: string): string | undefined {
  if (!existsSync(path) || !statSync(path).isFile()) return undefined;
  try {
    return utf8Text(path);
  } catch {
    // Read as one character that YAML refuses: the file is then reported and not ignored.
    return '\0';
  }
}

function paramsOf(given: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    given.map((text) => {
      const at = text.indexOf('=');
      if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
      throw new DelosError('ERR_USAGE', `--param ${text} has no value`, { hint: 'write --param NAME=VALUE' });
    }),
  );
}

function gitFacts(root: string): World['git'] {
  const run = (...args: string[]): string =>
    execFileSync('git', ['-C', root, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    return {
      sha: run('rev-parse', 'HEAD'),
      branch: run('rev-parse', '--abbrev-ref', 'HEAD'),
      tags: run('tag', '--points-at', 'HEAD').split('\n'),
    };
  } catch {
    return undefined;
  }
}

/** A file as it lies on disk. @throws DelosError ERR_NOT_FOUND */
export function readFlow(file: string, role?: Role): FlowFile {
  if (!existsSync(file) || !statSync(file).isFile()) {
    throw new DelosError('ERR_NOT_FOUND', `there is no file ${file}`, {
      hint: 'name a flow, an action or a project file',
    });
  }
  try {
    return parseFlowFile(file, utf8Text(file), role ?? roleOf(file));
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const report = new Report(file, '');
    report.add('FLOW_TEXT', { start: 0, end: 0 }, 'the file is not UTF-8', 'save it as UTF-8');
    return { report, block: undefined, kind: undefined };
  }
}

/** What a file's place says of it. */
function roleOf(file: string): Role | undefined {
  const name = basename(file).replace(/\.ya?ml$/, '');
  const configured = CONFIG_FOLDERS.includes(basename(dirname(resolve(file))));
  if (name === 'project') return 'project';
  if (name === 'action') return 'action';
  // Actions may lie beside the flows. Their keys tell which is which, for all files but the one live flow.
  return configured && name === 'live' ? 'flow' : undefined;
}

/** Name of a flow where the file gives no id. */
export const flowName = (file: string): string => basename(file).replace(/\.[^.]*$/, '');

export const renderAll = (diagnostics: readonly Diagnostic[]): string => diagnostics.map(renderDiagnostic).join('\n\n');
