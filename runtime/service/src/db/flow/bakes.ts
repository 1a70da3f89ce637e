import { randomUUID } from 'node:crypto';
import { DelosError, FLOW_OPEN_STATUSES } from '@delos/core';
import { sql } from 'kysely';
import type { Tx } from '../schema.ts';
import { MOST_BAKE_BYTES, MOST_BAKES, MOST_BAKES_BYTES, MOST_OPEN_BAKES } from './limits.ts';
import type { BakeMeta, FlowBakeRow, Graphs, Texts } from './tables.ts';

export interface NewBake {
  readonly flow: string;
  readonly batch: string;
  readonly name: string | null;
  readonly owner: string;
  readonly tags: readonly string[];
  readonly params: Texts;
  readonly graphs: Graphs;
  readonly meta: BakeMeta;
  /** What made it. @default a person */
  readonly schedule?: string | undefined;
  /** Of what people are told. @default nothing */
  readonly notify?: readonly string[];
}

/**
 * Holds a bake until the transaction ends. Whoever changes an attempt or a task does so first, so that nobody waits for
 * somebody who waits.
 */
export async function holdBake(tx: Tx, bake: string): Promise<void> {
  await tx.selectFrom('flow_bakes').select('id').where('id', '=', bake).forNoKeyUpdate().execute();
}

/**
 * Writes a bake down. The oldest ones of its flow that have ended go, where there are too many.
 * @throws DelosError ERR_CONFLICT where its name is another's that has not ended, ERR_QUOTA_EXCEEDED
 */
export async function addBake(tx: Tx, bake: NewBake): Promise<FlowBakeRow> {
  await holdFlow(tx, bake.flow);
  const open = await tx
    .selectFrom('flow_bakes')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('flow', '=', bake.flow)
    .where('status', 'in', FLOW_OPEN_STATUSES)
    .executeTakeFirstOrThrow();
  if (open.count >= MOST_OPEN_BAKES) {
    throw new DelosError('ERR_QUOTA_EXCEEDED', `this flow has ${open.count} bakes that have not ended, the most`, {
      hint: 'apolo-flow bakes lists them; apolo-flow cancel BAKE ends one whose executor is gone',
    });
  }
  const [params, graphs, meta] = [bake.params, bake.graphs, bake.meta].map((each) => JSON.stringify(each));
  const row = await tx
    .insertInto('flow_bakes')
    .values({
      id: `bake-${randomUUID()}`,
      flow: bake.flow,
      batch: bake.batch,
      name: bake.name,
      owner: bake.owner,
      tags: [...bake.tags],
      params: params ?? '{}',
      graphs: graphs ?? '{}',
      meta: meta ?? '{}',
      schedule: bake.schedule ?? null,
      notify: [...(bake.notify ?? [])],
      bytes: Buffer.byteLength(`${params}${graphs}${meta}`),
    })
    .returningAll()
    .executeTakeFirstOrThrow()
    .catch((error: unknown) => {
      throw isUnique(error, 'flow_bakes_active_name') ? bakeNameTaken(bake.name) : error;
    });
  await forgetOldBakes(tx, bake.flow);
  return row;
}

/** Holds a flow until the transaction ends: what is counted in it is counted one after another. */
export async function holdFlow(tx: Tx, flow: string): Promise<void> {
  await tx.selectFrom('flow_projects').select('id').where('id', '=', flow).forNoKeyUpdate().execute();
}

/** @param most for tests. @default the bounds */
export async function forgetOldBakes(
  tx: Tx,
  flow: string,
  most: { readonly bakes: number; readonly bytes: number } = { bakes: MOST_BAKES, bytes: MOST_BAKES_BYTES },
): Promise<void> {
  await sql`
    delete from flow_bakes where id in (
      select id from (
        select id, status, row_number() over newest as place, sum(bytes) over newest as upto
        from flow_bakes where flow = ${flow}
        window newest as (order by created_at desc, id desc)
      ) as placed
      where (place > ${most.bakes} or upto > ${most.bytes}) and status not in ('pending', 'running')
    )`.execute(tx);
}

/** Counts bytes against what one bake may have. @throws DelosError ERR_QUOTA_EXCEEDED */
export async function growBake(tx: Tx, bake: string, bytes: number): Promise<void> {
  if (bytes === 0) return;
  const grown = await tx
    .updateTable('flow_bakes')
    .set((eb) => ({ bytes: eb('bytes', '+', bytes) }))
    .where('id', '=', bake)
    .where((eb) => eb(eb('bytes', '+', bytes), '<=', MOST_BAKE_BYTES))
    .returning('id')
    .executeTakeFirst();
  if (grown !== undefined) return;
  throw new DelosError(
    'ERR_QUOTA_EXCEEDED',
    `bake ${bake} has more than ${MOST_BAKE_BYTES / 2 ** 20} MiB: its graphs and files, and the outputs and states of its tasks`,
    { hint: 'write large results into a volume' },
  );
}

/** A name means one bake of its flow that has not ended. */
export function bakeNameTaken(name: string | null): DelosError {
  const named = name === null ? 'another bake of this name' : `a bake named ${JSON.stringify(name)} of this flow`;
  return new DelosError('ERR_CONFLICT', `${named} has not ended`, {
    hint: 'wait for it, end it by apolo-flow cancel, or choose another name',
  });
}

/** Whether a statement failed for this unique index. */
export const isUnique = (error: unknown, index: string): boolean =>
  error instanceof Error && 'constraint' in error && error.constraint === index;
