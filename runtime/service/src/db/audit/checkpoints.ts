import { createPrivateKey, createPublicKey, hkdfSync, type KeyObject } from 'node:crypto';
import { canonicalText, checkpointOf, keyName } from '@delos/audit';
import { sql } from 'kysely';
import type { Db } from '../schema.ts';

/** The chain is signed this often at most, where it has grown. */
const EVERY_MS = 60_000;
/** PKCS #8 of an Ed25519 key (RFC 8410), before its 32 bytes. */
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');

export interface AuditKeys {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/** The pair that signs checkpoints: it follows from a secret, by HKDF-SHA-256, so that replicas have the same. */
export function auditKeys(secret: string): AuditKeys {
  const seed = Buffer.from(hkdfSync('sha256', secret, '', 'delos audit checkpoint', 32));
  const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: 'der', type: 'pkcs8' });
  return { privateKey, publicKey: createPublicKey(privateKey) };
}

/**
 * Signs what the chain is now, where it has grown since the last checkpoint.
 * @param force also where the last one is young
 * @returns whether there is a new one
 */
export async function signChain(db: Db, keys: AuditKeys, now: number, force = false): Promise<boolean> {
  const { rows } = await sql<{ seq: number; hash: string; last: number; checkpoint: string | null }>`
    select h.seq, h.hash, coalesce(c.seq, 0) as last, c.checkpoint
    from audit_head h left join lateral (select * from audit_checkpoints order by seq desc limit 1) c on true`.execute(
    db,
  );
  const [head] = rows;
  if (head === undefined || head.seq <= head.last) return false;
  const lastAt = head.checkpoint === null ? 0 : Number((JSON.parse(head.checkpoint) as { at: number }).at);
  if (!force && now - lastAt < EVERY_MS) return false;
  const { checkpoint, signature } = checkpointOf(head, now, keys);
  await db.transaction().execute(async (tx) => {
    const public_key = keys.publicKey.export({ type: 'spki', format: 'pem' }).toString();
    await tx
      .insertInto('audit_keys')
      .values({ name: keyName(keys.publicKey), public_key })
      .onConflict((on) => on.doNothing())
      .execute();
    await tx
      .insertInto('audit_checkpoints')
      .values({ seq: checkpoint.seq, checkpoint: canonicalText(checkpoint), signature })
      .onConflict((on) => on.doNothing())
      .execute();
  });
  return true;
}
