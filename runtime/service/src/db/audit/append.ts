import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes, randomUUID } from 'node:crypto';
import { type AuditEvent, canonicalText, digestOf, FIELDS, type Outcome, recordOf, SALT_BYTES } from '@delos/audit';
import { sql } from 'kysely';
import type { Db } from '../schema.ts';

/** Longest text of a field; the rest of a longer one is left out. */
const LONGEST = 2_000;

/**
 * Appends the record of an act, in the transaction of the act: either both are there or neither. It is the last thing that the
 * transaction does, since all others that append wait for its end.
 * @returns its number
 */
export async function appendAudit(tx: Db, event: AuditEvent): Promise<number> {
  const fields = Object.fromEntries(
    Object.entries(event.fields).map(([field, text]) => [field, text.slice(0, LONGEST).replaceAll('\0', '')]),
  );
  const { record, opened } = recordOf({ ...event, fields }, () => randomBytes(SALT_BYTES));
  const { at, act, outcome, request } = record;
  const texts = FIELDS.flatMap((field) => {
    const opening = opened[field];
    return opening === undefined ? [] : [{ field, ...opening }];
  });
  const { rows } = await sql<{ seq: number }>`select append_audit(${canonicalText(record)}, ${digestOf(record)},
    ${at}, ${act}, ${outcome}, ${request}, ${texts.map(({ field }) => field)}::text[],
    ${texts.map(({ salt }) => salt)}::text[], ${texts.map(({ value }) => value)}::text[]) as seq`.execute(tx);
  const seq = rows[0]?.seq;
  if (seq === undefined) throw new Error('the audit record got no number');
  return seq;
}

/** What is done now, and is to be recorded with it. */
export interface Act {
  /** Its record, as it is when it was done. */
  readonly event: () => AuditEvent;
  /** Whether the record was written with a transaction of the act. */
  recorded: boolean;
}

const acts = new AsyncLocalStorage<Act>();

/** Whatever the body does, a transaction among it is committed with the act's record, or not at all. */
export function recording<T>(act: Act, body: () => T): T {
  return acts.run(act, body);
}

/**
 * Records what a command does: with its transaction, or after it where it has none. What goes wrong is recorded by itself.
 * @param by who asks; undefined: nothing is changed, and nothing recorded
 */
export async function recordingCommand<T>(
  db: Db,
  asked: {
    readonly act: string;
    readonly by: string | undefined;
    readonly object: string;
    readonly why?: string | undefined;
  },
  body: () => Promise<T>,
): Promise<T> {
  const { by } = asked;
  if (by === undefined) return await body();
  const request = randomUUID();
  const event = (outcome: Outcome, reason = asked.why): AuditEvent => ({
    ...{ at: Date.now(), source: 'command' as const, act: asked.act, outcome, status: 0, request },
    fields: { actor: by, object: asked.object, ...(reason === undefined ? {} : { reason }) },
  });
  const act: Act = { event: () => event('done'), recorded: false };
  try {
    const result = await recording(act, body);
    if (!act.recorded) await appendAudit(db, act.event());
    return result;
  } catch (error) {
    await appendAudit(db, event('failed', error instanceof Error ? error.message : String(error)));
    throw error;
  }
}

/** The end of every transaction: the first one of an act takes its record along. */
export async function recordAct(tx: Db): Promise<void> {
  const act = acts.getStore();
  if (act === undefined || act.recorded) return;
  await appendAudit(tx, act.event());
}

/** After the commit: the record of the act under way is there. */
export function actRecorded(): void {
  const act = acts.getStore();
  if (act !== undefined) act.recorded = true;
}
