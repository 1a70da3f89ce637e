import { DelosError } from '@delos/core';
import { changeAttempt } from '../../db/flow/attempts.ts';
import type { ApiDeps, Caller } from '../deps.ts';
import { bakePlace, ifThere } from './find.ts';

/*
 * `apolo-flow bake` without `--local-executor` starts a job that carries the bake out. Such a job is known by its whole
 * command, whatever its image.
 */

const OPTIONS = '(?: (?:-v|-q|--show-traceback))*';
const BAKE = 'bake-[0-9a-z]{8}(?:-[0-9a-z]{4}){3}-[0-9a-z]{12}';
const COMMAND = new RegExp(`^apolo-flow${OPTIONS} --fake-workspace execute (${BAKE})$`);

interface Asked {
  readonly command?: string | null | undefined;
  readonly entrypoint?: string | null | undefined;
}

/** The bake that a job is to carry out; undefined for every other job. */
export function bakeOfExecutor({ command, entrypoint }: Asked): string | undefined {
  return entrypoint ? undefined : COMMAND.exec(command ?? '')?.[1];
}

/**
 * Refuses the job that would carry out a bake. Its attempt has failed then: nobody else will end it.
 * @throws DelosError ERR_NOT_IMPLEMENTED
 */
export async function refuseExecutor(deps: Pick<ApiDeps, 'database'>, caller: Caller, asked: Asked): Promise<void> {
  const id = bakeOfExecutor(asked);
  if (id === undefined) return;
  const { database } = deps;
  const bake = await ifThere(bakePlace(deps, caller, id, 'write'));
  const last =
    bake &&
    (await database.db
      .selectFrom('flow_attempts')
      .select(['id', 'bake', 'executor_id'])
      .where('bake', '=', bake.id)
      .orderBy('number', 'desc')
      .limit(1)
      .executeTakeFirst());
  if (last !== undefined && last.executor_id === null) {
    await database.tx((tx) => changeAttempt(tx, last, { result: 'failed' }));
  }
  throw new DelosError('ERR_NOT_IMPLEMENTED', 'a job that carries out a bake is not part of this release of Delos', {
    hint: 'the client can do it on its own machine: apolo-flow bake --local-executor',
  });
}
