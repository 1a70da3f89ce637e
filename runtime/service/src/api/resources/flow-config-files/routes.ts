import { randomUUID } from 'node:crypto';
import { DelosError, MAX_FLOW_BODY_BYTES } from '@delos/core';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { growBake } from '../../../db/flow/bakes.ts';
import { MOST_CONFIG_FILES } from '../../../db/flow/limits.ts';
import type { FlowConfigFileRow } from '../../../db/flow/tables.ts';
import type { ApiDeps } from '../../deps.ts';
import { byId, longText, objectId } from '../../flow/fields.ts';
import { bakePlace } from '../../flow/find.ts';
import { route } from '../../route.ts';
import { findConfigFile } from './find.ts';

const TAG = 'flows';
/** A larger file of a flow is refused wherever Delos reads it. */
const LARGEST_FILE = 2 ** 20;

const told = z.object({
  bake_id: objectId,
  /** Where it is on the client's machine. */
  filename: longText,
  content: z
    .string()
    .refine(
      (text) => Buffer.byteLength(text) <= LARGEST_FILE,
      `expected at most ${LARGEST_FILE / 2 ** 20} MiB: a file of a flow is no place for data`,
    ),
});
const shown = told.extend({ id: z.string() });

const fileJson = (row: FlowConfigFileRow): z.infer<typeof shown> => ({
  id: row.id,
  bake_id: row.bake,
  filename: row.filename,
  content: row.content,
});

/** Configuration files of bakes: what they are carried out by, whatever becomes of the files on the client's machine. */
export function flowConfigFileRoutes(app: FastifyInstance, deps: ApiDeps): void {
  const { database } = deps;

  route(
    app,
    deps,
    {
      method: 'POST',
      success: [201],
      url: '',
      tag: TAG,
      summary: 'Bring a configuration file of a bake',
      body: told,
      largestBody: MAX_FLOW_BODY_BYTES,
      response: shown,
    },
    async ({ body, caller, reply }) => {
      const bake = await bakePlace(deps, caller, body.bake_id, 'write');
      const row = await database.tx(async (tx) => {
        // Holds the bake: its files are counted one after another.
        await growBake(tx, bake.id, Buffer.byteLength(body.content) + 1);
        const { count } = await tx
          .selectFrom('flow_config_files')
          .select((eb) => eb.fn.countAll<number>().as('count'))
          .where('bake', '=', bake.id)
          .executeTakeFirstOrThrow();
        if (count >= MOST_CONFIG_FILES) {
          throw new DelosError('ERR_QUOTA_EXCEEDED', `bake ${bake.id} has ${count} configuration files, the most`);
        }
        return tx
          .insertInto('flow_config_files')
          .values({
            id: `config-file-${randomUUID()}`,
            bake: bake.id,
            filename: body.filename,
            content: body.content,
          })
          .returningAll()
          .executeTakeFirstOrThrow();
      });
      return reply.code(201).send(fileJson(row));
    },
  );

  route(
    app,
    deps,
    { method: 'GET', url: '/:id', tag: TAG, summary: 'One configuration file', params: byId, response: shown },
    async ({ params: { id }, caller }) => fileJson(await findConfigFile(deps, caller, id, 'read')),
  );
}
