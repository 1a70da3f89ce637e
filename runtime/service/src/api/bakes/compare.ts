import type { BakeDifference } from '@delos/core';
import { bakeDifferenceOf, type ComparedBake } from '@delos/engine';
import type { Db } from '../../db/schema.ts';
import { readBake } from './report.ts';

/** What changed from one bake to another: the last attempts of both. @throws DelosError as `readBake` does */
export async function compareBakes(db: Db, before: string, after: string, now: number): Promise<BakeDifference> {
  return bakeDifferenceOf(await compared(db, before, now), await compared(db, after, now));
}

async function compared(db: Db, id: string, now: number): Promise<ComparedBake> {
  const { report, images, attempt, commit } = await readBake(db, id, -1, now);
  const {
    workspace,
    flow_config_id: flow,
    project_config_id: project,
    action_config_ids: actions,
  } = attempt.configs_meta;
  const rows = await db
    .selectFrom('flow_config_files')
    .select(['filename', 'content'])
    .where('bake', '=', id)
    .where('id', 'in', [flow, ...(project === null ? [] : [project]), ...Object.values(actions)])
    .execute();
  const root = `${workspace.replace(/\/+$/, '')}/`;
  return {
    id,
    batch: report.batch,
    commit,
    params: report.params,
    files: new Map(
      rows.map(({ filename, content }) => [
        filename.startsWith(root) ? filename.slice(root.length) : filename,
        content,
      ]),
    ),
    tasks: new Map(
      report.tasks.map((task) => {
        const [begun, ended] = [task.begun_at, task.ended_at];
        const seconds = begun === null || ended === null ? null : (Date.parse(ended) - Date.parse(begun)) / 1000;
        const image = images.get(task.id) ?? null;
        return [task.id, { status: task.status, image, key: task.lineage?.key ?? null, seconds }] as const;
      }),
    ),
  };
}
