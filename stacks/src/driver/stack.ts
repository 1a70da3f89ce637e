import { join } from 'node:path';
import { DelosError, type InstancePaths, isDelosError, type Progress } from '@delos/core';
import { writeIfChanged } from '@delos/host';
import type { KubeconfigChoice } from '@delos/kube';
import type { Stack as PulumiStack } from '@pulumi/pulumi/automation/index.js';
import { parseType } from '../provider/layout.ts';
import { loadAutomation } from './automation.ts';
import { runPulumi } from './command.ts';
import { type Changes, type EventRecord, type ResourceStep, recorder, sayUrn } from './events.ts';
import { MISLEADING, type PulumiHome, prepareHome, pulumiEnvironment, pulumiHome, setStackConfig } from './home.ts';
import { findStaleLock } from './lock.ts';
import { hasPendingCreations, importOfUnmarked, type PendingWork, removeLeftovers } from './pending.ts';
import { preparePlugins, tryDownloadProvider } from './plugins.ts';
import { tryReadCheckpoint } from './state-file.ts';

export interface StackOptions {
  readonly paths: InstancePaths;
  /** The Pulumi command, see cluster's toolchain. */
  readonly pulumi: { readonly path: string };
  /** Where the stack's objects are; undefined: in no cluster. */
  readonly cluster?: KubeconfigChoice;
  /** Where all of the stack is kept. @default that of the platform */
  readonly home?: PulumiHome;
  /** Registers the resources, and gives what the stack tells others. */
  readonly program: () => Promise<unknown>;
  /** Plain values for the stack's configuration, which a plain `pulumi up` reads as well. */
  readonly config: Readonly<Record<string, string | undefined>>;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

const homeOf = ({ home, paths }: StackOptions): PulumiHome => home ?? pulumiHome(paths);

export interface UpdateResult {
  readonly changes: Changes;
  /** Every resource that was looked at or changed, with the seconds it took to be as it should. */
  readonly steps: readonly ResourceStep[];
}

export interface PreviewResult {
  readonly changeSummary: Readonly<Record<string, number>>;
  readonly steps: readonly { readonly urn: string; readonly type: string; readonly op: string }[];
}

/**
 * Brings the cluster to what the program says. The same call completes what a killed one began.
 * @param only changes these resources and no other; they are there already
 */
export async function up(
  options: StackOptions,
  { only }: { readonly only?: readonly { readonly type: string; readonly name: string }[] } = {},
): Promise<UpdateResult> {
  return withStack(options, async (stack, common, record) => {
    await importUnmarked(options);
    const target = only === undefined ? undefined : await urnsOf(options, only);
    await stack.up({ ...common, refresh: true, ...(target === undefined ? {} : { target }) });
    await settlePending(stack, options, []);
    const { changes, steps } = record();
    return { changes, steps };
  });
}

/** @throws DelosError ERR_NOT_UP for a resource that the stack does not have */
async function urnsOf(
  options: StackOptions,
  wanted: readonly { readonly type: string; readonly name: string }[],
): Promise<string[]> {
  const resources = (await tryReadCheckpoint(homeOf(options)))?.resources ?? [];
  return wanted.map(({ type, name }) => {
    const found = resources.find((one) => one.type === type && one.urn.endsWith(`::${name}`));
    if (found !== undefined) return found.urn;
    throw new DelosError('ERR_NOT_UP', `${name} is not deployed yet`, { hint: 'run `delos up` first' });
  });
}

export async function preview(options: StackOptions): Promise<PreviewResult> {
  return withStack(options, async (stack, common, record) => {
    const { changeSummary } = await stack.preview(common);
    const steps = record().steps.map(({ urn, type, op }) => ({ urn, type, op }));
    return { changeSummary: { ...changeSummary }, steps };
  });
}

/** Brings the state to what the cluster has. */
export async function refresh(options: StackOptions): Promise<UpdateResult> {
  return withStack(options, async (stack, common, record) => {
    await stack.refresh(common);
    const { changes, steps } = record();
    return { changes, steps };
  });
}

/** Deletes every object of the stack, but those of the kinds to keep, and waits until each is gone. */
export async function destroy(
  options: StackOptions,
  { keep = [] }: { readonly keep?: readonly string[] } = {},
): Promise<UpdateResult> {
  const home = homeOf(options);
  if ((await tryReadCheckpoint(home)) === undefined) {
    return { changes: { same: 0, create: 0, update: 0, delete: 0, replace: 0 }, steps: [] };
  }
  return withStack(options, async (stack, common, record) => {
    await importUnmarked(options);
    const kept = ((await tryReadCheckpoint(home))?.resources ?? []).filter(({ type }) =>
      keep.includes(parseType(type)?.kind ?? ''),
    );
    // What is kept keeps its parent, but not the stack: that goes only when it is empty anyway.
    const parents = kept.flatMap(({ parent = '' }) => (parent.includes('::delos:platform:Part::') ? [parent] : []));
    const exclude = [...new Set([...kept.map(({ urn }) => urn), ...parents])];
    await stack.destroy({ ...common, ...(exclude.length === 0 ? {} : { exclude }) });
    await settlePending(stack, options, keep);
    const { changes, steps } = record();
    return { changes, steps };
  });
}

interface Common {
  readonly onEvent: ReturnType<typeof recorder>['onEvent'];
  readonly signal: AbortSignal;
  readonly color: 'never';
  readonly suppressProgress: true;
}

async function withStack<T>(
  options: StackOptions,
  run: (stack: PulumiStack, common: Common, record: () => EventRecord) => Promise<T>,
): Promise<T> {
  const { progress, signal } = options;
  const home = homeOf(options);
  const { onEvent, record } = recorder(progress);
  try {
    await prepareHome(home, options.pulumi);
    await preparePlugins(home);
    if (options.cluster !== undefined) await tryDownloadProvider(home, progress);
    await setStackConfig(home, options.config);
    const stack = await openStack(home, options.program);
    for (let attempt = 1; ; attempt++) {
      if (await findStaleLock(home, progress)) {
        progress.step('releasing the lock of a run that was killed');
        await stack.cancel();
      }
      signal.throwIfAborted();
      try {
        return await run(stack, { onEvent, signal, color: 'never', suppressProgress: true }, record);
      } catch (error) {
        // An engine whose driver was killed may take the lock after we looked: look again, who it is.
        if (attempt === LOCK_ATTEMPTS || !isLockError(error)) throw error;
      }
    }
  } catch (error) {
    throw asDelosError(error, record(), signal);
  }
}

const LOCK_ATTEMPTS = 3;

function isLockError(error: unknown): boolean {
  return error instanceof Error && error.message.includes('the stack is currently locked');
}

async function openStack(home: PulumiHome, program: StackOptions['program']): Promise<PulumiStack> {
  // Commands inherit this process's variables, and the SDK can add some but take none away.
  delete process.env[MISLEADING];
  const { LocalWorkspace, PulumiCommand, Stack } = await loadAutomation();
  const pulumiCommand = await PulumiCommand.get({ root: `${home.root}/cli`, skipVersionCheck: true });
  const workspace = await LocalWorkspace.create({
    workDir: home.project,
    pulumiHome: home.home,
    envVars: { ...pulumiEnvironment(home) },
    pulumiCommand,
    program: async () => {
      const told = await program();
      return typeof told === 'object' ? { ...told } : {};
    },
  });
  // Every command names its stack: to select one that is there would be a run of the CLI for nothing.
  if ((await tryReadCheckpoint(home)) !== undefined) workspace.selectStack = async () => undefined;
  const stack = await Stack.createOrSelect(home.stack, workspace);
  // Each update would ask for the stack's outputs and history in three more runs of the CLI; nothing here reads them.
  return Object.assign(stack, { outputs: async () => ({}), info: async () => undefined });
}

/** Creations that were cut short under the official provider: the engine must know their objects before it runs. */
async function importUnmarked(options: StackOptions): Promise<void> {
  const home = homeOf(options);
  const checkpoint = await tryReadCheckpoint(home);
  const imports = checkpoint === undefined ? undefined : await importOfUnmarked(checkpoint, pendingWork(options));
  if (imports === undefined) return;
  options.progress.step('taking up objects whose creation was interrupted');
  const file = join(home.project, 'pending-creations.json');
  writeIfChanged(file, imports, 0o600);
  const flags = ['--yes', '--skip-preview', '--generate-code=false', '--protect=false', '--stack', home.stack];
  await runPulumi(['import', '--file', file, ...flags], {
    env: { ...process.env, ...pulumiEnvironment(home) },
    cwd: home.project,
    command: join(home.binFolder, 'pulumi'),
  });
}

/** Once a run is complete, creations that were cut short before it are in the state, or leftovers. */
async function settlePending(stack: PulumiStack, options: StackOptions, keep: readonly string[]): Promise<void> {
  const checkpoint = await tryReadCheckpoint(homeOf(options));
  if (checkpoint === undefined || !hasPendingCreations(checkpoint)) return;
  options.progress.step('settling creations that were interrupted before');
  if (!(await removeLeftovers(checkpoint, keep, pendingWork(options)))) return;
  await stack.refresh({ clearPendingCreates: true, signal: options.signal, color: 'never', suppressProgress: true });
}

const pendingWork = ({ cluster = {}, signal, progress }: StackOptions): PendingWork => ({
  cluster,
  signal,
  report: (message) => progress.step(message),
});

function asDelosError(error: unknown, record: EventRecord, signal: AbortSignal): DelosError {
  if (isDelosError(error)) return error;
  if (signal.aborted) {
    return new DelosError('ERR_INTERRUPTED', 'the deployment was interrupted; what was done so far is kept', {
      hint: 'the same command goes on from here',
    });
  }
  // The engine repeats what a resource's own error says.
  const own = record.errors.filter(({ urn }) => urn !== '' && !urn.includes('::pulumi:pulumi:Stack::'));
  const first = own[0] ?? record.errors[0];
  if (first === undefined) {
    return new DelosError('ERR_DEPLOY', lastLine(error), {
      hint: 'run the same command again: it goes on from here',
      cause: error,
    });
  }
  const others = new Set(own.map(({ urn }) => urn)).size - 1;
  const place = own.length > 0 && !first.message.includes(sayUrn(first.urn)) ? `${sayUrn(first.urn)}: ` : '';
  const late = /not ready after|not gone after/.test(first.message);
  return new DelosError(late ? 'ERR_NOT_READY' : 'ERR_DEPLOY', `${place}${firstLine(first.message)}`, {
    hint: `${others > 0 ? `${others} more failed; ` : ''}when the cause is removed, the same command goes on`,
    data: { errors: record.errors },
    cause: error,
  });
}

function firstLine(message: string): string {
  const lines = message.split('\n').map((line) => line.trim());
  return (lines.find((line) => line !== '' && !/^\d+ errors? occurred/.test(line)) ?? message).replace(/^\*\s*/, '');
}

function lastLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return (
    text
      .split('\n')
      .findLast((line) => line.trim() !== '')
      ?.trim() ?? 'the Pulumi engine failed'
  );
}
