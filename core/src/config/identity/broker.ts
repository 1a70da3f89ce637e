import { z } from 'zod';
import { plainText } from '../../config-fields.ts';
import { secretReference } from '../secret-reference.ts';
import { brokered, providerUrl } from './fields.ts';

/* Brokers: people are sent to the provider's own login, and come back with a signed word of who they are. */

const claim = z
  .string()
  .max(253)
  .regex(/^[\x21-\x7e]+$/, 'expected the name of a claim or an attribute, without spaces');

const client = {
  clientId: plainText.describe('The platform’s id at the provider'),
  clientSecret: secretReference.describe('Where its secret is'),
};

export const oidcProvider = z.strictObject({
  ...brokered,
  issuer: providerUrl.describe(
    'Its issuer. Its keys and addresses are read below it (/.well-known/openid-configuration)',
  ),
  ...client,
  scopes: z
    .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,100}$/, 'expected a scope, without spaces'))
    .max(20)
    .default(['openid', 'profile', 'email'])
    .describe('What it is asked for'),
  userName: claim
    .default('preferred_username')
    .describe('The claim that is the login name; what follows an @ is left out'),
  groupsClaim: claim.default('groups').describe('The claim that lists the groups'),
});
export type OidcProvider = z.infer<typeof oidcProvider>;

export const entraProvider = z.strictObject({
  ...brokered,
  tenant: z
    .uuid(
      'expected the tenant’s id, as 72f988bf-86f1-41af-91ab-2d7cd011db47: a name such as `common` lets in everybody',
    )
    .toLowerCase()
    .describe('Directory (tenant) id. Only its users are let in'),
  ...client,
});
export type EntraProvider = z.infer<typeof entraProvider>;

export const samlProvider = z.strictObject({
  ...brokered,
  metadataUrl: providerUrl.describe('Where its metadata are: address, keys. They are read again every hour'),
  userName: claim.optional().describe('The attribute that is the login name; left out: its NameID'),
  email: claim.default('email').describe('The attribute that is the e-mail address'),
  groupsAttribute: claim.default('groups').describe('The attribute that lists the groups'),
});
export type SamlProvider = z.infer<typeof samlProvider>;
