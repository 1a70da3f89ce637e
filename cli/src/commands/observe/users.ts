import { PLATFORM_NAMESPACE } from '@delos/constructs';
import type { PlatformConfig } from '@delos/core';
import { z } from 'zod';
import type { Kube } from '../../instance/kube.ts';

const SECRET = 'identity-passwords';
const secretSchema = z.object({ data: z.record(z.string(), z.string()).default({}) });

export interface PlatformUser {
  readonly name: string;
  /** As the platform made it; only where it was asked for. */
  readonly password?: string;
}

/** The people who may log in; a password that its owner has changed since is not known here. */
export async function platformUsers(config: PlatformConfig, kube: Kube | undefined): Promise<readonly PlatformUser[]> {
  const names = [...new Set([config.admin.user, ...config.users.map(({ name }) => name)])];
  if (kube === undefined) return names.map((name) => ({ name }));
  const { data } = await kube.json(secretSchema, ['get', 'secret', '-n', PLATFORM_NAMESPACE, SECRET]);
  return names.map((name) => {
    const value = data[name];
    return value === undefined ? { name } : { name, password: Buffer.from(value, 'base64').toString() };
  });
}
