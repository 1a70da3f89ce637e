import { flowSourceFile, MAX_FLOW_BODY_BYTES } from '@delos/core';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { addConfigFile } from '../../../db/flow/files.ts';
import type { FlowConfigFileRow } from '../../../db/flow/tables.ts';
import type { ApiDeps } from '../../deps.ts';
import { byId, longText, objectId } from '../../flow/fields.ts';
import { bakePlace } from '../../flow/find.ts';
import { route } from '../../route.ts';
import { findConfigFile } from './find.ts';

const TAG = 'flows';

/** `filename`: where it is on the client's machine. */
const told = flowSourceFile.extend({ bake_id: objectId, filename: longText });
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
      const row = await database.tx((tx) => addConfigFile(tx, bake.id, body));
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
