import { AGENT_PREFIX, streamRequest } from '@delos/core';
import { sql } from 'kysely';
import { z } from 'zod';
import { STREAM_WANTED } from '../../db/notifications.ts';
import { detach } from '../../edge/guard.ts';
import { liveOf } from '../../live-secret.ts';
import type { ApiDeps } from '../deps.ts';
import type { AgentHub, OtherReplicas } from './hub.ts';

/*
 * An agent is connected to one replica of the API, and a client may be connected to another. That one asks all for the agent.
 * The replica that has it fetches the request and tells the agent, which dials the replica that asked. What goes
 * through the stream so passes no third process.
 */

const wanted = z.object({ cluster: z.string(), id: z.uuid(), at: z.url() });
const FETCH_MS = 2_000;

/** How this replica asks the others; undefined where it does not know where they reach it. */
export function otherReplicas({
  database,
  settings,
}: Pick<ApiDeps, 'database' | 'settings'>): OtherReplicas | undefined {
  const { internalAddress: address } = settings;
  if (address === undefined) return undefined;
  const ask = async (cluster: string, id: string): Promise<void> => {
    const payload = JSON.stringify({ cluster, id, at: address });
    await sql`select pg_notify(${STREAM_WANTED}, ${payload})`.execute(database.db);
  };
  return { address, ask };
}

/** Answers what other replicas ask, where the agent is here. @returns a function that ends it */
export function answerReplicas(hub: AgentHub, deps: Pick<ApiDeps, 'database' | 'settings' | 'log'>): () => void {
  const { settings, log } = deps;
  const pass = async (text: string): Promise<void> => {
    const { cluster, id, at } = wanted.parse(JSON.parse(text));
    const agent = hub.agentOf(cluster);
    if (agent === undefined || at === settings.internalAddress) return;
    const answer = await fetch(`${at}${AGENT_PREFIX}/streams/${id}/request`, {
      headers: { authorization: `Bearer ${liveOf(settings.agentToken).current()}` },
      signal: AbortSignal.timeout(FETCH_MS),
    });
    // Its client has gone, or another replica was quicker.
    if (!answer.ok) return;
    agent.ask(streamRequest.parse(await answer.json()));
  };
  return deps.database.notifications.on(STREAM_WANTED, (text) => detach(log, 'passing on a stream', () => pass(text)));
}
