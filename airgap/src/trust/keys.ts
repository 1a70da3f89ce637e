import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';

/** Name of a key: the sha256 of its public half (SubjectPublicKeyInfo, DER), as `openssl pkey -pubout -outform DER | sha256sum` prints it. */
export function keyIdOf(key: KeyObject): string {
  const half = key.type === 'private' ? createPublicKey(key) : key;
  return createHash('sha256')
    .update(half.export({ type: 'spki', format: 'der' }))
    .digest('hex');
}

/** A new Ed25519 key: PKCS#8 and SubjectPublicKeyInfo, PEM, as `openssl genpkey -algorithm ed25519` makes them. */
export function newKeyPair(): { readonly privateKey: string; readonly publicKey: string } {
  return generateKeyPairSync('ed25519', {
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
}

/** Undefined for a text that is no private Ed25519 key in PEM, and for one that asks for a passphrase. */
export function tryPrivateKey(pem: string): KeyObject | undefined {
  return tryKey(() => createPrivateKey(pem));
}

/** Undefined for a text that is no public Ed25519 key in PEM. */
export function tryPublicKey(pem: string): KeyObject | undefined {
  // createPublicKey takes a private key as well.
  return /PRIVATE/.test(pem) ? undefined : tryKey(() => createPublicKey(pem));
}

function tryKey(make: () => KeyObject): KeyObject | undefined {
  try {
    const key = make();
    return key.asymmetricKeyType === 'ed25519' ? key : undefined;
  } catch {
    return undefined;
  }
}
