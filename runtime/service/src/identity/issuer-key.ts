import { createPrivateKey, createPublicKey, hkdfSync, type KeyObject } from 'node:crypto';

/** Header of a PKCS #8 Ed25519 private key (RFC 8410, section 7); the 32 bytes of the key follow. */
const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex');

export interface IssuerKey {
  readonly privateKey: KeyObject;
  /** SubjectPublicKeyInfo, base64: as Keycloak keeps it. */
  readonly publicKey: string;
}

/**
 * The key that signs what the platform asserts to its own Keycloak, made of a secret text: the same secret is the same
 * key, so there is one value to keep and no key file to make.
 */
export function issuerKey(secret: string): IssuerKey {
  const seed = Buffer.from(hkdfSync('sha256', secret, '', 'delos token issuer', 32));
  const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8_ED25519, seed]), format: 'der', type: 'pkcs8' });
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'der' }).toString('base64');
  return { privateKey, publicKey };
}

/** What the issuer signs in to Keycloak with; of the same secret, and telling nothing of the key. */
export function issuerClientSecret(secret: string): string {
  return Buffer.from(hkdfSync('sha256', secret, '', 'delos token issuer client', 32)).toString('base64url');
}
