import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DelosError, type IdentitySpec, identitySpec, OPERATOR_CLIENT } from '@delos/core';
import { z } from 'zod';
import { liveSecret } from '../live-secret.ts';
import { KeycloakAdmin } from './keycloak-admin.ts';
import type { IdentitySecrets } from './reconcile.ts';

/** Settings of whoever keeps the realm. */
export const keeperEnv = z.object({
  DELOS_KEYCLOAK_URL: z.url(),
  DELOS_KEYCLOAK_CLIENT_SECRET: z.string(),
  DELOS_KEYCLOAK_CLIENT_SECRET_FILE: z.string(),
  /** JSON of the identity specification. */
  DELOS_IDENTITY: z.string(),
  /** A folder with a file a user, its first password inside. */
  DELOS_IDENTITY_PASSWORDS: z.string(),
  /** File with the issuer's secret. */
  DELOS_IDENTITY_ISSUER: z.string(),
  /** `PROVIDER=FILE`, separated by commas: what Keycloak shows each provider. */
  DELOS_PROVIDER_FILES: z
    .string()
    .default('')
    .transform(
      (text) =>
        new Map(
          text
            .split(',')
            .filter((each) => each !== '')
            .map(partsOf),
        ),
    ),
});

function partsOf(text: string): readonly [provider: string, file: string] {
  const at = text.indexOf('=');
  return [text.slice(0, at), text.slice(at + 1)];
}

/** What the realm shall be. */
export interface WantedRealm {
  readonly spec: IdentitySpec;
  /** Of its text: the same specification has the same digest. */
  readonly digest: string;
}

export async function wantedRealm(file: string): Promise<WantedRealm> {
  const text = await readFile(file, 'utf8');
  return { spec: identitySpec.parse(JSON.parse(text)), digest: createHash('sha256').update(text).digest('hex') };
}

export const adminOf = (env: z.infer<typeof keeperEnv>): KeycloakAdmin =>
  new KeycloakAdmin({
    url: env.DELOS_KEYCLOAK_URL,
    clientId: OPERATOR_CLIENT,
    clientSecret: liveSecret(env.DELOS_KEYCLOAK_CLIENT_SECRET_FILE),
  });

export const identitySecrets = async (env: z.infer<typeof keeperEnv>): Promise<IdentitySecrets> => ({
  issuer: await secretFrom(env.DELOS_IDENTITY_ISSUER),
  passwords: await passwordsFrom(env.DELOS_IDENTITY_PASSWORDS),
});

/** What Keycloak shows each provider. One whose file cannot be read is left out, and named. */
export async function providerSecrets(
  files: ReadonlyMap<string, string>,
): Promise<{ readonly of: ReadonlyMap<string, string>; readonly missing: ReadonlyMap<string, string> }> {
  const of = new Map<string, string>();
  const missing = new Map<string, string>();
  for (const [provider, file] of files) {
    try {
      of.set(provider, await secretFrom(file));
    } catch (error) {
      missing.set(provider, error instanceof Error ? error.message : String(error));
    }
  }
  return { of, missing };
}

/** @throws DelosError ERR_CONFIG_VALUE when the file is not there or holds nothing */
export async function secretFrom(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').then(
    (content) => content.trim(),
    () => '',
  );
  if (text === '') throw new DelosError('ERR_CONFIG_VALUE', `no secret is in ${file}`, { where: { file } });
  return text;
}

async function passwordsFrom(folder: string): Promise<Readonly<Record<string, string>>> {
  // A mounted Secret has entries of the kubelet's own, which begin with two dots.
  const names = (await readdir(folder)).filter((name) => !name.startsWith('.'));
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, (await readFile(join(folder, name), 'utf8')).trim()] as const)),
  );
}
