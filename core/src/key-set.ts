import { createHash, createPrivateKey, createPublicKey } from 'node:crypto';
import { z } from 'zod';

const ecKey = z.object({ kty: z.literal('EC'), crv: z.literal('P-256'), x: z.string(), y: z.string() });

/** The public half of a key that signs by ES256 (RFC 7518, 3.4), as a JSON Web Key (RFC 7517). */
export interface PublicKey extends z.infer<typeof ecKey> {
  readonly kid: string;
  readonly alg: 'ES256';
  readonly use: 'sig';
}

/**
 * The public half of a private key. Its id is its thumbprint (RFC 7638), so that who signs and who checks need not agree on one.
 * @param privateKey ECDSA P-256, PKCS #8 in PEM
 * @throws Error for another kind of key
 */
export function publicKeyOf(privateKey: string): PublicKey {
  const { kty, crv, x, y } = ecKey.parse(createPublicKey(createPrivateKey(privateKey)).export({ format: 'jwk' }));
  const kid = createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
  return { kty, crv, x, y, kid, alg: 'ES256', use: 'sig' };
}

/** A file of the keys that check what these private keys sign: a JSON Web Key Set (RFC 7517, 5). */
export const keySetOf = (...privateKeys: readonly string[]): string =>
  `${JSON.stringify({ keys: privateKeys.map(publicKeyOf) })}\n`;
