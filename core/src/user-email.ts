import { isIPv4 } from 'node:net';
import type { PlatformConfig } from './config/shape.ts';

/** The e-mail address of a user: the one that is given, else the name at the platform's domain. */
export function emailOf(
  { name, email }: PlatformConfig['users'][number],
  { domain }: Pick<PlatformConfig, 'domain'>,
): string {
  const host = domain.includes('.') && !isIPv4(domain) ? domain : 'example.com';
  return email ?? `${name}@${host}`;
}
