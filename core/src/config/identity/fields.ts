import { z } from 'zod';
import { dnsLabel, plainText } from '../../config-fields.ts';
import { PROJECT_ROLES } from '../../words/roles.ts';
import { secretReference } from '../secret-reference.ts';

/*
 * Keys that identity providers of several kinds have. Terminology: a *provider* says who somebody is, and which groups
 * they are in: a directory (LDAP, Active Directory), which Keycloak asks, or a *broker* (OIDC, Entra ID, SAML), whose own
 * login people are sent to.
 */

/** Groups that one provider may map. Each is a question to Keycloak at every sweep. */
const MOST_GROUPS = 100;

const mapping = z.strictObject({
  group: plainText.describe('Name of a group at the provider. Of a directory also its DN; of Entra ID its object id'),
  organization: dnsLabel.describe('Name of one of `organizations`'),
  project: dnsLabel.optional().describe('Name of one of its projects; left out: all of them'),
  role: z.enum(PROJECT_ROLES).default('writer').describe('What its members are there'),
});

export const common = {
  name: dnsLabel.describe('A name for it, different from all other providers’. A changed one is another provider'),
  groups: z
    .array(mapping)
    .max(MOST_GROUPS)
    .default([])
    .describe('What its groups give. A person who is in none of these groups and not in `users` is refused'),
  authority: secretReference
    .optional()
    .describe('Where the authority of its certificate is, PEM; left out: a public one'),
};

/** Of brokers. */
export const brokered = {
  ...common,
  title: plainText.optional().describe('What its button of the login page says; left out: its name'),
  reloginHours: z
    .number()
    .int()
    .min(1)
    .max(720)
    .default(24)
    .describe('So long after they logged in, its users have to log in again: it tells of groups at logins alone'),
};
export type GroupMapping = z.infer<typeof mapping>;

/** Seconds that Keycloak waits for a provider. */
export const timeoutSeconds = z
  .number()
  .int()
  .min(1)
  .max(30)
  .default(5)
  .describe('How long one answer is waited for, in seconds');

/** An address of https, where codes, tokens and keys come from; of http on the very machine alone. */
export const providerUrl = z
  .string()
  .max(2000)
  .superRefine((text, context) => {
    const fault = urlFault(text);
    if (fault !== undefined)
      context.addIssue({ code: 'custom', message: `expected a URL such as https://id.example.com/realm: ${fault}` });
  });

function urlFault(text: string): string | undefined {
  if (!URL.canParse(text)) return 'that is no URL';
  const { protocol, hostname, username, password, hash, search } = new URL(text);
  if (protocol === 'http:' && !/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname)) {
    return 'it begins with http:, and whoever listens could be anybody then';
  }
  if (protocol !== 'https:' && protocol !== 'http:') return `it begins with ${protocol}, not with https:`;
  if (username !== '' || password !== '') return 'it has a user or a password in it';
  return hash === '' && search === '' ? undefined : 'leave out what is behind ? or #';
}
