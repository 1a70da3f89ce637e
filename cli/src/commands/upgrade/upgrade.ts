import { DelosError, RELEASE } from '@delos/core';
import type { CommandContext } from '../../context.ts';
import { lockInstance } from '../../instance/lock.ts';
import { Phases } from '../../phases.ts';
import { refuseHalfRestored } from '../backup/record.ts';
import { begin } from './begin.ts';
import { change } from './change.ts';
import { goBack } from './go-back.ts';
import { planText } from './plan.ts';
import { forgetUpgrade, keepUpgrade, restorePoint, type UpgradeRecord, upgradeOf } from './record.ts';
import { lookAhead } from './scene.ts';

export interface Options {
  readonly plan: boolean;
  readonly offline: boolean;
  readonly rollback: boolean;
  readonly confirm: boolean;
  /** Seconds. */
  readonly gateLimit: number;
  readonly config?: string;
  readonly context?: string;
}

/**
 * Brings an installed platform to the version of this checkout, or leaves it as it was. What was interrupted goes on, or
 * back where it was on its way back.
 */
export async function run(context: CommandContext, options: Options): Promise<void> {
  refuseHalfRestored(context.paths);
  const chosen = [options.plan, options.rollback, options.confirm].filter(Boolean).length;
  if (chosen > 1) throw new DelosError('ERR_USAGE', 'expected one of --plan, --rollback, --confirm');
  const unlock = await lockInstance(context.paths, 'upgrade');
  try {
    const record = upgradeOf(context.paths);
    if (options.confirm) return confirm(context, record);
    if (options.rollback) return await rollBack(context, options, record);
    if (options.plan) return await tellPlan(context, options);
    await upgrade(context, options, record);
  } finally {
    unlock();
  }
}

async function tellPlan(context: CommandContext, options: Options): Promise<void> {
  const { plan } = await lookAhead(context, options);
  context.result(plan, planText(plan));
}

async function upgrade(context: CommandContext, options: Options, before: UpgradeRecord | undefined): Promise<void> {
  const phases = new Phases(context.progress, context.signal);
  const interrupted = before !== undefined && before.phase !== 'done' ? before : undefined;
  if (interrupted !== undefined && interrupted.to !== RELEASE) throw ofAnother(interrupted);
  if (interrupted?.phase === 'going-back') {
    await goBack(context, phases, options, interrupted);
    throw wentBack(interrupted, interrupted.reason ?? 'it was asked for');
  }
  let record: UpgradeRecord;
  try {
    record = interrupted?.phase === 'changing' ? interrupted : await begin(context, phases, options, interrupted);
  } catch (error) {
    await undo(context, phases, options, error);
    throw error;
  }
  try {
    await change(context, phases, options);
  } catch (error) {
    await undo(context, phases, options, error);
    throw error;
  }
  const done: UpgradeRecord = { ...record, phase: 'done' };
  keepUpgrade(context.paths, done);
  const { folder } = restorePoint(context.paths);
  context.result(
    { from: done.from, to: done.to, restorePoint: folder, phases: phases.done },
    [
      `Instance ${context.paths.instance} runs ${done.to}; before, ${done.from}.`,
      ...phases.done.map(({ name, seconds }) => `    ${name.padEnd(16)}${seconds.toFixed(1)} s`),
      '',
      `The restore point is kept in ${folder}.`,
      '    delos upgrade --confirm     # removes it',
      '    delos upgrade --rollback    # goes back to it; what came since is lost',
    ].join('\n'),
  );
}

/** After a failure: goes back where something was begun. An interruption leaves it to the next call. */
async function undo(context: CommandContext, phases: Phases, options: Options, error: unknown): Promise<void> {
  const record = upgradeOf(context.paths);
  if (context.signal.aborted || record === undefined || record.phase === 'done') return;
  const gate = phases.done.at(-1)?.name ?? 'begin';
  const words = error instanceof Error ? error.message : String(error);
  const reason = `${gate}: ${words}`;
  context.progress.warn(`gate ${reason}; going back to ${record.from}`);
  const back: UpgradeRecord = { ...record, phase: 'going-back', reason };
  keepUpgrade(context.paths, back);
  await goBack(context, phases, options, back);
  throw wentBack(back, reason, error);
}

async function rollBack(context: CommandContext, options: Options, record: UpgradeRecord | undefined): Promise<void> {
  if (record === undefined) {
    throw new DelosError('ERR_NOT_FOUND', `instance ${context.paths.instance} has no restore point of an upgrade`, {
      hint: 'one is kept from an upgrade on until `delos upgrade --confirm`',
    });
  }
  if (record.phase === 'done' && !context.yes) {
    throw new DelosError('ERR_USAGE', `what came since ${record.since} is lost by going back to ${record.from}`, {
      hint: 'say that this is meant: `delos upgrade --rollback --yes`',
    });
  }
  const phases = new Phases(context.progress, context.signal);
  const back: UpgradeRecord = { ...record, phase: 'going-back', reason: record.reason ?? 'it was asked for' };
  keepUpgrade(context.paths, back);
  await goBack(context, phases, options, back);
  context.result(
    { from: record.to, to: record.from, phases: phases.done },
    `Instance ${context.paths.instance} runs ${record.from} again, as of ${record.since}.`,
  );
}

function confirm(context: CommandContext, record: UpgradeRecord | undefined): void {
  if (record !== undefined && record.phase !== 'done') {
    throw new DelosError('ERR_CONFLICT', `the upgrade from ${record.from} to ${record.to} is not done`, {
      hint: '`delos upgrade --offline` goes on, `delos upgrade --rollback` goes back',
    });
  }
  forgetUpgrade(context.paths);
  context.result(
    { removed: record !== undefined },
    record === undefined ? 'There is no restore point.' : 'The restore point is removed.',
  );
}

const wentBack = (record: UpgradeRecord, reason: string, cause?: unknown): DelosError =>
  new DelosError('ERR_UPGRADE_FAILED', `the upgrade to ${record.to} was undone. Gate ${reason}`, {
    hint: `${record.from} serves again, with all that it had. Remove the cause, then upgrade again`,
    ...(cause === undefined ? {} : { cause }),
  });

const ofAnother = ({ from, to }: UpgradeRecord): DelosError =>
  new DelosError('ERR_CONFLICT', `an upgrade from ${from} to ${to} was interrupted, and this checkout is ${RELEASE}`, {
    hint: `go on with a checkout of ${to}; its \`delos upgrade --rollback\` goes back`,
  });
