import {
  type DelosConfig,
  databaseArchive,
  namespaceOf,
  objectStorage,
  ownServices,
  postgres,
  primaryOf,
  type SavedService,
  SERVICES,
  savedServices,
  sectionOf,
  synthesize,
} from '@delos/constructs';
import { DelosError } from '@delos/core';
import type { CommandContext } from '../../context.ts';
import { engineFrom } from '../../instance/engine.ts';
import { expectedImages } from '../../instance/images.ts';
import { type Kube, kubeOf } from '../../instance/kube.ts';
import { lockInstance } from '../../instance/lock.ts';
import { planPlatform } from '../../instance/platform.ts';
import { readSettings, type Settings } from '../../instance/settings.ts';
import { Phases } from '../../phases.ts';
import { outputOf, runInPod } from '../backup/pod-command.ts';
import { megabytes } from '../backup/sizes.ts';
import { removeClaims } from '../upgrade/stop.ts';
import { planText, planTime, type TimePlan } from './plan.ts';
import { Archive, pointsText, timeOf } from './points.ts';
import { endTimeRecord, keepTimeRecord, type TimeRecord, timeRecordOf } from './record.ts';
import { scalesOf, start, stop } from './scales.ts';
import { DatabaseVolume } from './volume.ts';

export interface TimeOptions {
  readonly points: boolean;
  readonly plan: boolean;
  readonly toTime?: string;
  readonly config?: string;
  readonly context?: string;
}

/** Where all of it happens. */
interface Scene {
  readonly context: CommandContext;
  readonly settings: Settings;
  readonly kube: Kube;
  readonly archive: Archive;
  readonly database: SavedService;
  volume(): Promise<DatabaseVolume>;
}

/** Between two lines of progress. */
const TELL_BYTES = 64 * 2 ** 20;

/** What stays: the archive needs the object storage, and is needed. */
const STAYS: readonly string[] = [databaseArchive.name, objectStorage.name];

/** Says to which times the database can go back, or takes it to one. What was interrupted goes on. */
export async function restoreToTime(context: CommandContext, options: TimeOptions): Promise<void> {
  const { paths } = context;
  if (options.points && options.toTime !== undefined) {
    throw new DelosError('ERR_USAGE', 'expected one of --points, --to-time');
  }
  const unlock = await lockInstance(paths, 'restore');
  try {
    const scene = await sceneOf(context, options);
    if (options.toTime === undefined) {
      await flushed(scene);
      const sets = await scene.archive.points();
      return context.result({ sets }, pointsText(sets));
    }
    const time = timeOf(options.toTime);
    const before = timeRecordOf(paths);
    if (before !== undefined && before.time !== time.text) {
      throw new DelosError('ERR_CONFLICT', `going back to ${before.time} was interrupted`, {
        hint: `\`delos restore --to-time ${before.time} --yes\` goes on; then go to another time`,
      });
    }
    if (before === undefined) {
      const plan = await planOf(scene, time);
      if (options.plan) return context.result(plan, planText(plan));
      const record = await begun(scene, plan);
      return await goBack(scene, record);
    }
    if (options.plan) return context.result(before, `Going back to ${before.time} was interrupted: ${before.phase}.`);
    await goBack(scene, before);
  } finally {
    unlock();
  }
}

async function sceneOf(context: CommandContext, options: TimeOptions): Promise<Scene> {
  const settings = await readSettings(context, options.config);
  const { config } = settings;
  const database = savedServices(config).find(({ name }) => name === postgres.name);
  if (database === undefined || !ownServices(config, SERVICES).some(({ name }) => name === databaseArchive.name)) {
    throw new DelosError('ERR_NOT_FOUND', 'this platform has no archive of its database', {
      hint: '`services.databaseArchive.enabled: true` in delos.yaml, then `delos up`: one can go back to any time from then on',
    });
  }
  const engine = await engineFrom(context, config, options.context);
  const handle = await engine.handle();
  const kube = await kubeOf(context, handle);
  return {
    context,
    settings,
    kube,
    archive: new Archive(kube, namespaceOf(databaseArchive), databaseArchive.name, context.signal),
    database,
    volume: async () => {
      const { input } = await planPlatform(context, settings, handle, await expectedImages(context, config, handle));
      return await DatabaseVolume.of(kube, synthesize(input.config, input.context), database, context.signal);
    },
  };
}

/** A database that does not answer is a reason to go back. */
async function flushed({ context, archive }: Scene): Promise<void> {
  try {
    await archive.flush();
  } catch (error) {
    context.progress.warn(
      `what was committed last may not be in the archive: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

async function planOf(scene: Scene, time: { readonly text: string; readonly ms: number }): Promise<TimePlan> {
  const { context, archive, settings } = scene;
  await flushed(scene);
  return planTime({
    instance: context.paths.instance,
    time,
    sets: await archive.points(),
    free: await freeBytes(scene),
    besideDatabase: besideDatabase(settings.config),
  });
}

const besideDatabase = (config: DelosConfig): boolean =>
  sectionOf(config, databaseArchive).store === undefined &&
  ownServices(config, SERVICES).some(({ name }) => name === objectStorage.name);

async function freeBytes({ context, kube, database }: Scene): Promise<number | undefined> {
  const place = { namespace: database.namespace, pod: database.pods[0] };
  try {
    let said = '';
    const command = ['sh', '-c', 'df --output=avail -B1 "$PGDATA" | tail -n 1'];
    for await (const bytes of outputOf(kube, place, command, context.signal)) said += bytes.toString();
    return Number.parseInt(said.trim(), 10);
  } catch {
    // Then the volume itself says when it is full, and all goes back.
    return undefined;
  }
}

async function begun(scene: Scene, plan: TimePlan): Promise<TimeRecord> {
  const { context, kube } = scene;
  const [refusal] = plan.refusals;
  if (refusal !== undefined || plan.from === null) {
    throw new DelosError('ERR_BACKUP', `nothing was changed: ${refusal?.what ?? ''}`, {
      hint: refusal?.todo ?? '',
      data: { refusals: plan.refusals },
    });
  }
  if (!context.yes) {
    throw new DelosError('ERR_USAGE', `what was committed since ${plan.time} goes`, {
      hint: `say that this is meant: \`delos restore --to-time ${plan.time} --yes\`; --plan says what it does`,
    });
  }
  const { set, base, bytes } = plan.from;
  const scales = [...(await scalesOf(kube))].filter(({ name }) => !STAYS.includes(name));
  const record: TimeRecord = { time: plan.time, set, base, bytes, phase: 'stopping', scales };
  keepTimeRecord(context.paths, record);
  return record;
}

const isDatabase = ({ name }: { readonly name: string }): boolean => name === postgres.name;

/** Goes on from wherever it was. */
async function goBack(scene: Scene, begun: TimeRecord): Promise<void> {
  const { context, kube, archive } = scene;
  const { paths, signal, progress } = context;
  const phases = new Phases(progress, signal);
  const keep = (phase: TimeRecord['phase'], reason?: string): TimeRecord => {
    const record = { ...begun, phase, ...(reason === undefined ? {} : { reason }) };
    keepTimeRecord(paths, record);
    return record;
  };
  const others = begun.scales.filter((each) => !isDatabase(each));
  const database = begun.scales.filter(isDatabase);
  const volume = await scene.volume();
  let record = begun;
  if (record.phase === 'stopping') {
    await phases.run('stop', async () => {
      await stop(kube, context, others);
      await flushed(scene);
      // A database that does not answer leaves nothing that could be taken for what comes.
      await archive.close().catch((error: unknown) => progress.step(String(error)));
      await stop(kube, context, database);
    });
    record = keep('recovering');
  }
  if (record.phase === 'recovering') {
    try {
      await stop(kube, context, database);
      await volume.open();
      await recover(scene, phases, volume, record);
      record = keep('taken');
    } catch (error) {
      if (signal.aborted) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      progress.warn(`${reason}; starting with the database as it was`);
      record = keep('giving-up', reason);
    }
  }
  if (record.phase === 'giving-up') {
    await volume.open();
    await volume.giveUp();
    await volume.close();
    await phases.run('start', () => startAll(kube, database, others));
    endTimeRecord(paths);
    throw new DelosError('ERR_BACKUP', `the database is as it was: ${record.reason ?? ''}`, {
      hint: '`delos restore --points` says what the archive has and lacks',
    });
  }
  if (record.phase === 'taken') {
    await phases.run('exchange', async () => {
      await volume.open();
      await volume.take();
      await volume.close();
      await othersAnew(scene);
    });
    record = keep('starting');
  }
  await phases.run('start', () => startAll(kube, database, others));
  await forgetFormer(scene);
  endTimeRecord(paths);
  context.result(
    { time: record.time, set: record.set, base: record.base, phases: phases.done },
    [
      `Instance ${paths.instance} has the database of ${record.time}.`,
      ...phases.done.map(({ name, seconds }) => `    ${name.padEnd(16)}${seconds.toFixed(1)} s`),
    ].join('\n'),
  );
}

/** Brings a base backup and the log beside the database, and lets PostgreSQL replay it. */
async function recover(scene: Scene, phases: Phases, volume: DatabaseVolume, record: TimeRecord): Promise<void> {
  const { archive, context } = scene;
  if (await volume.recovered()) return;
  const tell = (what: string) => {
    let told = 0;
    return (bytes: number): void => {
      if (bytes - told < TELL_BYTES) return;
      told = bytes;
      context.progress.step(`${what}: ${megabytes(bytes)}`);
    };
  };
  await phases.run('base backup', async () => {
    await volume.begin();
    await volume.fill('data', archive.base(record.set, record.base), tell('base backup'), record.bytes);
  });
  await phases.run('log', () =>
    volume.fill('log', archive.log(record.set, record.base, new Date(record.time).toISOString()), tell('log')),
  );
  await phases.run('recovery', () => volume.recover(record.time));
}

/** The database before those that ask it, and the first of its members before those that copy it. */
async function startAll(kube: Kube, database: TimeRecord['scales'], others: TimeRecord['scales']): Promise<void> {
  await start(
    kube,
    database.map((each) => ({ ...each, replicas: Math.min(1, each.replicas) })),
  );
  await start(kube, database);
  await start(kube, others);
}

/** Other members have what came later: they copy the first one. What they agreed on is not so any more. */
async function othersAnew({ kube, database }: Scene): Promise<void> {
  const [, ...others] = database.pods;
  if (others.length === 0) return;
  await removeClaims(
    kube,
    others.map((pod) => `${database.backup.claim}-${pod}`),
  );
  const primary = primaryOf(database.name);
  const agreed = ['', '-config', '-failover', '-sync'].map((what) => `${primary}${what}`);
  await kube.text(['delete', 'endpoints', ...agreed, '--namespace', database.namespace, '--ignore-not-found']);
}

/** The data from before is needed no more: all services run, and the archive has it. */
async function forgetFormer({ kube, context, database }: Scene): Promise<void> {
  const place = { namespace: database.namespace, pod: database.pods[0] };
  await runInPod(kube, place, ['sh', '-c', 'rm -rf "$PGDATA.before-restore"'], context.signal);
}
