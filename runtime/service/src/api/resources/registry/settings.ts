import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { DelosError, publicKeyOf } from '@delos/core';

/** The platform's registry of images, as the control API needs it. */
export interface RegistrySettings {
  /** Where it is reached from here. No trailing slash. */
  readonly url: string;
  /** Signs its tokens. */
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** By which the registry knows the key. */
  readonly keyId: string;
}

/**
 * @param key ECDSA P-256, PKCS #8 in PEM
 * @throws DelosError ERR_CONFIG_VALUE for another kind of key
 */
export function registrySettings(url: string, key: string): RegistrySettings {
  try {
    const privateKey = createPrivateKey(key);
    return {
      url: url.replace(/\/+$/, ''),
      privateKey,
      publicKey: createPublicKey(privateKey),
      keyId: publicKeyOf(key).kid,
    };
  } catch (cause) {
    throw new DelosError('ERR_CONFIG_VALUE', 'the key that signs the registry’s tokens is no private key of P-256', {
      where: { field: 'DELOS_REGISTRY_SECRET_FILE' },
      hint: 'write one: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256',
      cause,
    });
  }
}
