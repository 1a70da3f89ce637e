import { randomUUID } from 'node:crypto';
import { DelosError, flowImageStatus } from '@delos/core';
import type { FastifyInstance } from 'fastify';
import { sql } from 'kysely';
import { z } from 'zod';
import { growBake, isUnique } from '../../../db/flow/bakes.ts';
import { MOST_IMAGES } from '../../../db/flow/limits.ts';
import type { FlowBakeImageRow } from '../../../db/flow/tables.ts';
import type { Tx } from '../../../db/schema.ts';
import type { Sized } from '../../../db/within-bytes.ts';
import type { ApiDeps } from '../../deps.ts';
import { byId, fullId, longText, objectId } from '../../flow/fields.ts';
import { bakePlace, ifThere, unknown } from '../../flow/find.ts';
import { noRows, pagesOf, sendList } from '../../flow/lists.ts';
import { route } from '../../route.ts';
import { findBakeImage } from './find.ts';

const TAG = 'flows';

const ofBake = z.object({ bake_id: objectId });
const ref = longText.min(1);
const told = ofBake.extend({
  ref,
  /** Where it is defined: `PREFIX.IMAGE`. */
  yaml_defs: z.array(fullId).min(1).max(1_000),
  status: flowImageStatus,
  context_on_storage: longText.nullish(),
  dockerfile_rel: longText.nullish(),
  builder_job_id: objectId.nullish(),
});
type Told = z.infer<typeof told>;
const change = z.object({ status: flowImageStatus.optional(), builder_job_id: objectId.nullish() });
const shown = z.object({
  id: z.string(),
  bake_id: z.string(),
  ref: z.string(),
  yaml_defs: z.array(z.string()),
  status: flowImageStatus,
  context_on_storage: z.string().nullable(),
  dockerfile_rel: z.string().nullable(),
  builder_job_id: z.string().nullable(),
});

const imageJson = (row: FlowBakeImageRow): z.infer<typeof shown> => ({
  id: row.id,
  bake_id: row.bake,
  ref: row.ref,
  yaml_defs: row.yaml_defs,
  status: row.status,
  context_on_storage: row.context_on_storage,
  dockerfile_rel: row.dockerfile_rel,
  builder_job_id: row.builder_job_id,
});

/** Images that a bake's tasks use, and may have to be built first. */
export function flowBakeImageRoutes(app: FastifyInstance, deps: ApiDeps): void {
  const { database } = deps;
  const { db } = database;

  route(
    app,
    deps,
    { method: 'GET', url: '', tag: TAG, summary: 'List images of a bake', query: ofBake, response: z.array(shown) },
    async ({ query, caller, request, reply }) => {
      const bake = await ifThere(bakePlace(deps, caller, query.bake_id, 'read'));
      const pages =
        bake === undefined
          ? noRows<FlowBakeImageRow>()
          : pagesOf<FlowBakeImageRow, 'flow_bake_images'>(db, sql`seq`, (last) =>
              db
                .selectFrom('flow_bake_images')
                .selectAll()
                .select(sql<number>`pg_column_size(yaml_defs) + octet_length(ref) + 500`.as('size'))
                .where('bake', '=', bake.id)
                .where('seq', '>', last?.seq ?? 0)
                .$castTo<Sized<FlowBakeImageRow>>(),
            );
      return sendList(request, reply, pages, imageJson);
    },
  );

  route(
    app,
    deps,
    {
      method: 'POST',
      url: '',
      success: [201],
      tag: TAG,
      summary: 'Tell of an image of a bake',
      body: told,
      response: shown,
    },
    async ({ body, caller, reply }) => {
      const bake = await bakePlace(deps, caller, body.bake_id, 'write');
      return reply.code(201).send(imageJson(await database.tx((tx) => add(tx, bake.id, body))));
    },
  );

  route(
    app,
    deps,
    {
      method: 'GET',
      url: '/by_ref',
      tag: TAG,
      summary: 'An image of a bake by its reference',
      query: ofBake.extend({ ref }),
      response: shown,
    },
    async ({ query, caller }) => {
      const bake = await bakePlace(deps, caller, query.bake_id, 'read');
      const row = await db
        .selectFrom('flow_bake_images')
        .selectAll()
        .where('bake', '=', bake.id)
        .where('ref', '=', query.ref)
        .executeTakeFirst();
      if (row === undefined) throw unknown('image of this bake', query.ref, 'apolo-flow inspect BAKE lists them')();
      return imageJson(row);
    },
  );

  route(
    app,
    deps,
    { method: 'GET', url: '/:id', tag: TAG, summary: 'One image of a bake', params: byId, response: shown },
    async ({ params: { id }, caller }) => imageJson(await findBakeImage(deps, caller, id, 'read')),
  );

  route(
    app,
    deps,
    {
      method: 'PATCH',
      url: '/:id',
      tag: TAG,
      summary: 'Say what becomes of an image, or which job builds it',
      params: byId,
      body: change,
      response: shown,
    },
    async ({ params: { id }, body, caller }) => {
      const found = await findBakeImage(deps, caller, id, 'write');
      if (body.status === undefined && body.builder_job_id === undefined) return imageJson(found);
      const row = await db
        .updateTable('flow_bake_images')
        .set({
          ...(body.status === undefined ? {} : { status: body.status }),
          ...(body.builder_job_id === undefined ? {} : { builder_job_id: body.builder_job_id }),
        })
        .where('id', '=', found.id)
        .returningAll()
        .executeTakeFirst();
      if (row === undefined) throw unknown('image of a bake', id, 'it was removed just now')();
      return imageJson(row);
    },
  );
}

async function add(tx: Tx, bake: string, image: Told): Promise<FlowBakeImageRow> {
  // Holds the bake: its images are counted one after another.
  await growBake(tx, bake, Buffer.byteLength(image.yaml_defs.join('')) + 1);
  const { count } = await tx
    .selectFrom('flow_bake_images')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('bake', '=', bake)
    .executeTakeFirstOrThrow();
  if (count >= MOST_IMAGES) throw new DelosError('ERR_QUOTA_EXCEEDED', `bake ${bake} has ${count} images, the most`);
  return tx
    .insertInto('flow_bake_images')
    .values({
      id: `bake-image-${randomUUID()}`,
      bake,
      ref: image.ref,
      yaml_defs: [...image.yaml_defs],
      status: image.status,
      context_on_storage: image.context_on_storage ?? null,
      dockerfile_rel: image.dockerfile_rel ?? null,
      builder_job_id: image.builder_job_id ?? null,
    })
    .returningAll()
    .executeTakeFirstOrThrow()
    .catch((error: unknown) => {
      if (!isUnique(error, 'flow_bake_images_ref')) throw error;
      throw new DelosError('ERR_CONFLICT', `bake ${bake} has an image ${JSON.stringify(image.ref)} already`);
    });
}
