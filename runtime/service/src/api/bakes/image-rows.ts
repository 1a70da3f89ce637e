import { randomUUID } from 'node:crypto';
import { DelosError } from '@delos/core';
import type { BakeImage, ImageChange } from '@delos/engine';
import { contextFolder, type ImageDefinition } from '@delos/flow';
import { MOST_IMAGES } from '../../db/flow/limits.ts';
import type { Db, Tx } from '../../db/schema.ts';
import type { ApiSettings } from '../deps.ts';
import { ownRepository } from '../resources/registry/platform-image.ts';

/** The images that a bake may have to build: those that its rows tell of, and that are the platform's. */
export async function readImages(
  db: Db,
  settings: Pick<ApiSettings, 'registry' | 'publicUrl'>,
  bake: string,
  definitions: readonly ImageDefinition[],
): Promise<readonly BakeImage[]> {
  const rows = await db.selectFrom('flow_bake_images').selectAll().where('bake', '=', bake).orderBy('seq').execute();
  const known = new Map(definitions.map((each) => [nameOf(each), each]));
  return rows
    .filter(({ ref }) => ref.startsWith('image:') || ownRepository(settings, ref) !== undefined)
    .map((row) => ({
      ref: row.ref,
      definitions: row.yaml_defs.flatMap((name) => known.get(name) ?? []),
      context: row.context_on_storage,
      dockerfile: row.dockerfile_rel,
      status: row.status,
      jobId: row.builder_job_id,
    }));
}

/** Writes down the images of a bake that no client told of. @throws DelosError ERR_QUOTA_EXCEEDED */
export async function addImages(
  tx: Tx,
  { bake, flow, project }: { readonly bake: string; readonly flow: string; readonly project: string },
  definitions: readonly ImageDefinition[],
): Promise<void> {
  const byRef = Map.groupBy(definitions, ({ ref }) => ref);
  if (byRef.size > MOST_IMAGES) {
    throw new DelosError(
      'ERR_QUOTA_EXCEEDED',
      `the flow has ${byRef.size} images, at most ${MOST_IMAGES} are possible`,
    );
  }
  for (const [ref, all] of byRef) {
    const [first] = all;
    if (first === undefined) continue;
    await tx
      .insertInto('flow_bake_images')
      .values({
        id: `bake-image-${randomUUID()}`,
        bake,
        ref,
        yaml_defs: all.map(nameOf),
        status: 'pending',
        context_on_storage: contextFolder(first, { project, flow }),
        dockerfile_rel: first.dockerfileRel,
        builder_job_id: null,
      })
      .execute();
  }
}

export async function writeImages(tx: Tx, bake: string, changes: readonly ImageChange[]): Promise<void> {
  for (const { ref, status, jobId } of changes) {
    await tx
      .updateTable('flow_bake_images')
      .set({ status, ...(jobId === undefined ? {} : { builder_job_id: jobId }) })
      .where('bake', '=', bake)
      .where('ref', '=', ref)
      .execute();
  }
}

/** `CALL.IMAGE`, as clients have it. */
const nameOf = ({ call, id }: ImageDefinition): string => (call === '' ? id : `${call}.${id}`);
