import { z } from 'zod';
import { entraProvider, oidcProvider, samlProvider } from './broker.ts';
import { activeDirectoryProvider, ldapProvider } from './directory.ts';

/** Providers of one kind. Each is asked at every sweep, and each broker has a button on the login page. */
const MOST = 10;

/** Who else says who somebody is, beside the platform itself. */
export const identity = z.strictObject({
  ldap: z.array(ldapProvider).max(MOST).default([]).describe('Directories that speak LDAP'),
  activeDirectory: z.array(activeDirectoryProvider).max(MOST).default([]).describe('Active Directories, by LDAP'),
  oidc: z.array(oidcProvider).max(MOST).default([]).describe('OpenID Connect providers'),
  entra: z.array(entraProvider).max(MOST).default([]).describe('Tenants of Microsoft Entra ID'),
  saml: z.array(samlProvider).max(MOST).default([]).describe('SAML 2.0 identity providers'),
  sweepSeconds: z
    .number()
    .int()
    .min(10)
    .max(3600)
    .default(60)
    .describe(
      'How often the realm is compared with this file, and groups are read. So long after a group was left, its rights last',
    ),
});
export type IdentityProviders = z.infer<typeof identity>;
