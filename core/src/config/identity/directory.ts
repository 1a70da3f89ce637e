import { z } from 'zod';
import { secretReference } from '../secret-reference.ts';
import { common, timeoutSeconds } from './fields.ts';

/* Directories: Keycloak asks them for people and groups, and lets them check passwords. It changes nothing there. */

/** `ldap[s]://host[:port]`. A path or a query would be a search, which has keys of its own. */
const ldapUrl = z
  .string()
  .max(500)
  .superRefine((text, context) => {
    const [, host = '', port] = /^ldaps?:\/\/([A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(?::(\d{1,5}))?\/?$/.exec(text) ?? [];
    if (host !== '' && (port === undefined || (Number(port) >= 1 && Number(port) <= 65_535))) return;
    context.addIssue({ code: 'custom', message: 'expected ldaps://HOST[:PORT], or ldap://HOST[:PORT]' });
  })
  .transform((text) => text.replace(/\/$/, ''));

/** Distinguished name. @see RFC 4514 */
const dn = z
  .string()
  .max(1000)
  .regex(/^[a-zA-Z][a-zA-Z0-9.-]*=\P{Cc}+$/u, 'expected a DN such as ou=people,dc=example,dc=com');

/** Search filter. @see RFC 4515 */
const filter = z
  .string()
  .max(2000)
  .superRefine((text, context) => {
    if (/^\(\P{Cc}+\)$/u.test(text) && isBalanced(text)) return;
    context.addIssue({ code: 'custom', message: 'expected a filter in parentheses, such as (objectClass=person)' });
  });

/** A parenthesis that is meant is written \28 or \29 in a filter. */
function isBalanced(text: string): boolean {
  let open = 0;
  for (const [at, letter] of [...text].entries()) {
    if (letter === '(') open += 1;
    if (letter === ')') open -= 1;
    if (open < 0 || (open === 0 && at < [...text].length - 1)) return false;
  }
  return open === 0;
}

/** Name of an attribute or a class. @see RFC 4512, `keystring` */
const word = z.string().regex(/^[a-zA-Z][a-zA-Z0-9-]{0,127}$/, 'expected the name of an attribute or a class');
const classes = z.array(word).min(1).max(10);

const directory = (kind: {
  readonly userClasses: readonly string[];
  readonly name: string;
  readonly id: string;
  readonly groupClasses: readonly string[];
}) =>
  z.strictObject({
    ...common,
    url: ldapUrl.describe('Where it is: ldaps://HOST[:PORT], or ldap://HOST[:PORT] with `startTls`'),
    startTls: z.boolean().default(false).describe('A connection to ldap:// is protected before anything is said'),
    insecure: z
      .boolean()
      .default(false)
      .describe('Passwords go to ldap:// for everybody in between to read. For a try-out alone'),
    bindDn: dn.optional().describe('Whom Keycloak signs in as; left out: as nobody'),
    bindPassword: secretReference.optional().describe('Where the password of `bindDn` is'),
    users: z
      .strictObject({
        dn: dn.describe('Below which entry people are'),
        filter: filter.optional().describe('Which of them may log in; left out: all'),
        classes: classes.default([...kind.userClasses]).describe('Their object classes'),
        name: word.default(kind.name).describe('The attribute that is the login name'),
        id: word.default(kind.id).describe('The attribute that never changes'),
        email: word.default('mail').describe('The attribute that is the e-mail address'),
      })
      .describe('Where people are'),
    groupsAt: z
      .strictObject({
        dn: dn.describe('Below which entry groups are'),
        filter: filter.optional().describe('Which of them count; left out: those that `groups` names'),
        classes: classes.default([...kind.groupClasses]).describe('Their object classes'),
        name: word.default('cn').describe('The attribute that is the name'),
        member: word.default('member').describe('The attribute that lists the members'),
        memberIs: z.enum(['dn', 'name']).default('dn').describe('What stands in it: the DN, or the login name'),
      })
      .optional()
      .describe('Where groups are. Needed where `groups` names any'),
    timeoutSeconds,
    pageSize: z
      .number()
      .int()
      .min(10)
      .max(1000)
      .default(500)
      .describe('Entries that one answer of the directory may have'),
  });

export const ldapProvider = directory({
  userClasses: ['inetOrgPerson'],
  name: 'uid',
  id: 'entryUUID',
  groupClasses: ['groupOfNames'],
});
export const activeDirectoryProvider = directory({
  userClasses: ['person', 'organizationalPerson', 'user'],
  name: 'sAMAccountName',
  id: 'objectGUID',
  groupClasses: ['group'],
});
export type DirectoryProvider = z.infer<typeof ldapProvider>;

/** Text of a filter that stands for itself. @see RFC 4515, section 3 */
export const filterText = (text: string): string =>
  text.replace(/[\\*()\0]/g, (letter) => `\\${letter.charCodeAt(0).toString(16).padStart(2, '0')}`);

/** The name of a group that is given by its name or its DN: what stands in its first part. */
export function groupName(group: string): string {
  const [, value = group] = /^[a-zA-Z][a-zA-Z0-9.-]*=((?:\\.|[^,+\\])+),/.exec(group) ?? [];
  return value.replace(/\\([,+"\\<>;= #])/g, '$1').trim();
}
