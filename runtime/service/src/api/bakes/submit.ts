import { type BakeSubmission, type CarriedBake, DelosError, type FlowSourceFile } from '@delos/core';
import { type BatchTask, graphOf } from '@delos/engine';
import { requirePresent } from '../../db/clusters/present.ts';
import { addAttempt } from '../../db/flow/attempts.ts';
import { addBake } from '../../db/flow/bakes.ts';
import { addConfigFile } from '../../db/flow/files.ts';
import { flowNamed } from '../../db/flow/flows.ts';
import type { BakeMeta, ConfigsMeta, Graphs } from '../../db/flow/tables.ts';
import type { Tx } from '../../db/schema.ts';
import type { ApiDeps } from '../deps.ts';
import { projectFor } from '../project-for.ts';
import type { Submitter } from '../resources/jobs/submit.ts';
import { stillUser } from '../still-user.ts';
import { flowTasks } from './flow-tasks.ts';
import { executorRequest, handOverIn } from './hand-over.ts';

/**
 * Makes a bake, and hands it to the platform's engine: all of it or nothing.
 * @throws DelosError ERR_REQUEST that names file and line of what is wrong, ERR_FORBIDDEN, ERR_CONFLICT, ERR_QUOTA_EXCEEDED
 */
export async function submitBake(deps: ApiDeps, asked: BakeSubmission, by: Submitter): Promise<CarriedBake> {
  const made = await deps.database.tx((tx) => submitBakeIn(tx, deps, asked, by));
  deps.log.info({ bake: made.id, job: made.job, user: by.caller.user }, 'a bake was submitted');
  return made;
}

/** As `submitBake`, in a transaction. @param schedule what makes it, where no person does */
export async function submitBakeIn(
  tx: Tx,
  deps: ApiDeps,
  asked: BakeSubmission,
  by: Submitter,
  schedule?: string,
): Promise<CarriedBake> {
  const { caller } = by;
  await stillUser(tx, caller);
  const cluster = await requirePresent(tx, deps.settings.cluster, deps.settings.cluster);
  const project = await projectFor(tx, { org: asked.org_name, name: asked.project_name }, caller);
  const place = { cluster, org: project.org, project: project.name, user: caller.user };
  const meta: BakeMeta = { git_info: asked.git_info ?? null };
  const graphs = graphsOf(readSubmission(asked, { place, project: project.name }, meta));
  const flow = await flowNamed(tx, {
    ...{ cluster, org: project.org, project: project.name },
    name: asked.flow,
    owner: caller.user,
  });
  const bake = await addBake(tx, {
    flow: flow.id,
    batch: asked.batch,
    name: asked.name ?? null,
    owner: caller.user,
    tags: asked.tags,
    params: asked.params,
    graphs,
    meta,
    schedule,
    notify: asked.notify,
  });
  const keep = async (file: FlowSourceFile): Promise<string> => (await addConfigFile(tx, bake.id, file)).id;
  const actions: Record<string, string> = {};
  for (const [reference, file] of Object.entries(asked.action_files)) actions[reference] = await keep(file);
  const configs: ConfigsMeta = {
    workspace: asked.workspace,
    project_config_id: asked.project_file == null ? null : await keep(asked.project_file),
    flow_config_id: await keep(asked.flow_file),
    action_config_ids: actions,
  };
  const number = 1;
  await addAttempt(tx, { bake: bake.id, number, result: 'pending', executorId: null, configsMeta: configs });
  const request = executorRequest({
    flow: asked.flow,
    batch: asked.batch,
    bake: bake.id,
    minutes: asked.life_span_minutes,
  });
  const job = await handOverIn(tx, deps, { request, bake: bake.id, place, by });
  return { id: bake.id, number, job: job.id, carried_over: [] };
}

/** Looks a submission through, and makes nothing of it. @throws DelosError ERR_REQUEST as `submitBake` does */
export function checkSubmission(
  asked: BakeSubmission,
  place: { readonly cluster: string; readonly org: string; readonly project: string; readonly user: string },
): void {
  readSubmission(asked, { place, project: place.project }, { git_info: asked.git_info ?? null });
}

/** The tasks of what was submitted. @throws DelosError ERR_REQUEST */
function readSubmission(
  asked: BakeSubmission,
  home: Parameters<typeof flowTasks>[0]['home'],
  meta: BakeMeta,
): readonly BatchTask[] {
  const files = new Map<string, FlowSourceFile>([['flow', asked.flow_file]]);
  if (asked.project_file != null) files.set('project', asked.project_file);
  const actions = Object.entries(asked.action_files).map(([reference, file], index) => {
    files.set(`action ${index}`, file);
    return [reference, `action ${index}`] as const;
  });
  const read = flowTasks({
    batch: asked.batch,
    params: asked.params,
    meta,
    configs: {
      workspace: asked.workspace,
      flow_config_id: 'flow',
      project_config_id: asked.project_file == null ? null : 'project',
      action_config_ids: Object.fromEntries(actions),
    },
    files,
    home,
  });
  if ('why' in read) {
    throw new DelosError('ERR_REQUEST', read.why, {
      where: { field: 'flow_file' },
      hint: '`delos flow validate FILE` says all that is wrong, with a caret at each place',
    });
  }
  refuseLocal(read.tasks);
  return read.tasks;
}

/** @throws DelosError ERR_REQUEST where a task would run on the machine of whoever bakes */
export function refuseLocal(tasks: readonly BatchTask[]): void {
  const local = tasks.find(({ kind }) => kind === 'local');
  if (local === undefined) return;
  throw new DelosError('ERR_REQUEST', `task ${local.id} is a local action: it runs on the machine of whoever bakes`, {
    hint: 'bake it by apolo-flow, which runs it there, or make a task of it',
  });
}

/** What each task needs, by the call that it lies in, as apolo-flow writes it. */
function graphsOf(tasks: readonly BatchTask[]): Graphs {
  const graphs: Record<string, Record<string, string[]>> = { '': {} };
  for (const [id, { task, parent, kind }] of graphOf(tasks).nodes) {
    const level = parent?.task.id ?? '';
    graphs[level] ??= {};
    graphs[level][id] = Object.keys(task.needs);
    if (kind === 'call') graphs[id] ??= {};
  }
  return graphs;
}
