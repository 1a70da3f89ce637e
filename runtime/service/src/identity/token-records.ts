import { DelosError, type TokenRecord } from '@delos/core';
import type { Db, Tx } from '../db/schema.ts';
import type { IssuedToken } from './issue.ts';

/** Written before the token is shown: a token that nobody wrote down does not leave the house. */
export async function recordIssue(tx: Tx, token: IssuedToken, by: string): Promise<void> {
  await tx
    .insertInto('issued_tokens')
    .values({ jti: token.id, user_name: token.user, issued_by: by, expires_at: token.expiresAt, revoked_at: null })
    .execute();
  await audit(tx, by, 'token.issue', token.id, { user: token.user, expiresAt: token.expiresAt.toISOString() });
}

/** Repeating it changes nothing. @throws DelosError ERR_NOT_FOUND for an id that was never issued */
export async function revokeToken(tx: Tx, id: string, by: string): Promise<TokenRecord> {
  const now = new Date();
  const changed = await tx
    .updateTable('issued_tokens')
    .set({ revoked_at: now })
    .where('jti', '=', id)
    .where('revoked_at', 'is', null)
    .executeTakeFirst();
  if (changed.numUpdatedRows > 0n) await audit(tx, by, 'token.revoke', id, {});
  const row = await tx.selectFrom('issued_tokens').selectAll().where('jti', '=', id).executeTakeFirst();
  if (row === undefined) {
    throw new DelosError('ERR_NOT_FOUND', `no token with the id ${JSON.stringify(id)} was issued`, {
      hint: '`delos token --list` shows the ids',
    });
  }
  return recordOf(row);
}

/** Newest first; those that have ended by themselves are left out. */
export async function listTokens(db: Db): Promise<readonly TokenRecord[]> {
  const rows = await db
    .selectFrom('issued_tokens')
    .selectAll()
    .where('expires_at', '>', new Date())
    .orderBy('issued_at', 'desc')
    .execute();
  return rows.map(recordOf);
}

interface Row {
  readonly jti: string;
  readonly user_name: string;
  readonly issued_by: string;
  readonly issued_at: Date;
  readonly expires_at: Date;
  readonly revoked_at: Date | null;
}

const recordOf = (row: Row): TokenRecord => ({
  id: row.jti,
  user: row.user_name,
  issuedBy: row.issued_by,
  issuedAt: row.issued_at.toISOString(),
  expiresAt: row.expires_at.toISOString(),
  revokedAt: row.revoked_at?.toISOString() ?? null,
});

async function audit(
  tx: Tx,
  actor: string,
  action: string,
  target: string,
  details: Readonly<Record<string, string>>,
): Promise<void> {
  await tx
    .insertInto('audit')
    .values({ actor, action, target, outcome: 'done', details: JSON.stringify(details) })
    .execute();
}
