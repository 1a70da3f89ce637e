import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { DelosError, publicKeyOf } from '@delos/core';
import { type LiveSecret, liveOf } from '../../../live-secret.ts';

/** The platform's registry of images, as the control API needs it. */
export interface RegistrySettings {
  /** Where it is reached from here. No trailing slash. */
  readonly url: string;
  /** Signs its tokens now. */
  readonly privateKey: KeyObject;
  /** By which the registry knows that key. */
  readonly keyId: string;
  /** The key that checks what this key signed; two are accepted while the key is rotated. @throws Error for any other */
  publicKey(signedBy: { readonly kid?: string | undefined }): KeyObject;
}

interface Keys {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly keyId: string;
}

/**
 * @param key ECDSA P-256, PKCS #8 in PEM
 * @throws DelosError ERR_CONFIG_VALUE for another kind of key
 */
export function registrySettings(url: string, key: string | LiveSecret): RegistrySettings {
  const live = liveOf(key);
  const known = new Map<string, Keys>();
  const keysOf = (text: string): Keys => {
    const keys = known.get(text) ?? parsed(text);
    known.set(text, keys);
    return keys;
  };
  keysOf(live.current());
  return {
    url: url.replace(/\/+$/, ''),
    get privateKey() {
      return keysOf(live.current()).privateKey;
    },
    get keyId() {
      return keysOf(live.current()).keyId;
    },
    publicKey: ({ kid }) => {
      const found = live
        .accepted()
        .map(keysOf)
        .find(({ keyId }) => keyId === kid);
      if (found === undefined) throw new Error('no key of ours signed it');
      return found.publicKey;
    },
  };
}

function parsed(key: string): Keys {
  try {
    const privateKey = createPrivateKey(key);
    return { privateKey, publicKey: createPublicKey(privateKey), keyId: publicKeyOf(key).kid };
  } catch (cause) {
    throw new DelosError('ERR_CONFIG_VALUE', 'the key that signs the registry’s tokens is no private key of P-256', {
      where: { field: 'DELOS_REGISTRY_SECRET_FILE' },
      hint: 'write one: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256',
      cause,
    });
  }
}
