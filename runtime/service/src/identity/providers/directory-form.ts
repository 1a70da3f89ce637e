import { type DirectoryProvider, filterText, groupName } from '@delos/core';

/*
 * A directory in Keycloak's own representations: a component of the realm, and mappers below it. Keycloak reads the
 * directory and changes nothing in it. What is empty here is empty in Keycloak, so that nothing can be added by hand.
 */

export const USER_STORAGE = 'org.keycloak.storage.UserStorageProvider';
export const LDAP_MAPPER = 'org.keycloak.storage.ldap.mappers.LDAPStorageMapper';
/** Keycloak's mapper that reads groups. */
export const GROUP_MAPPER = 'groups';
/** Keycloak makes these with each directory; they are of no harm. */
export const LEFT_ALONE = ['creation date', 'modify date'];

/** Of Keycloak's configuration: each value is a list of one. */
export type Settings = Readonly<Record<string, string>>;

export interface Mapper {
  readonly name: string;
  readonly providerId: string;
  readonly config: Settings;
}

export type Kind = 'ldap' | 'activeDirectory';

/**
 * @param taken names of the platform's own users: who has one in the directory is not seen
 * @see https://www.keycloak.org/docs/latest/server_admin/#_ldap
 */
export function directorySettings(kind: Kind, given: DirectoryProvider, taken: readonly string[]): Settings {
  const { url, startTls, bindDn, users, timeoutSeconds, pageSize } = given;
  const milliseconds = String(timeoutSeconds * 1000);
  return {
    enabled: 'true',
    priority: '0',
    vendor: kind === 'activeDirectory' ? 'ad' : 'other',
    editMode: 'READ_ONLY',
    importEnabled: 'true',
    syncRegistrations: 'false',
    connectionUrl: url,
    startTls: String(startTls),
    useTruststoreSpi: 'always',
    connectionPooling: 'true',
    connectionTimeout: milliseconds,
    readTimeout: milliseconds,
    authType: bindDn === undefined ? 'none' : 'simple',
    bindDn: bindDn ?? '',
    usersDn: users.dn,
    customUserSearchFilter: peopleFilter(users, taken),
    userObjectClasses: users.classes.join(', '),
    usernameLDAPAttribute: users.name,
    rdnLDAPAttribute: kind === 'activeDirectory' ? 'cn' : users.name,
    uuidLDAPAttribute: users.id,
    // Below, however deep.
    searchScope: '2',
    pagination: 'true',
    batchSizeForSync: String(pageSize),
    // People come when they log in or are in a mapped group, never all at once.
    fullSyncPeriod: '-1',
    changedSyncPeriod: '-1',
    // A group that was left, or an account that was closed, counts at the next question.
    cachePolicy: 'NO_CACHE',
    // An address that the directory names is not one that somebody has shown to be theirs.
    trustEmail: 'false',
    validatePasswordPolicy: 'false',
    allowKerberosAuthentication: 'false',
    useKerberosForPasswordAuthentication: 'false',
    usePasswordModifyExtendedOp: 'false',
  };
}

function peopleFilter({ name, filter }: DirectoryProvider['users'], taken: readonly string[]): string {
  const others = `(!(|${[...taken]
    .sort()
    .map((user) => `(${name}=${filterText(user)})`)
    .join('')}))`;
  return filter === undefined ? others : `(&${filter}${others})`;
}

/** @param name of the provider: its groups are below the group of this name */
export function directoryMappers(kind: Kind, given: DirectoryProvider): readonly Mapper[] {
  const { users, groupsAt } = given;
  const attribute = (name: string, from: string, to: string, more: Settings = {}): Mapper => ({
    name,
    providerId: 'user-attribute-ldap-mapper',
    config: {
      'ldap.attribute': from,
      'user.model.attribute': to,
      'read.only': 'true',
      'always.read.value.from.ldap': 'true',
      'is.mandatory.in.ldap': 'false',
      ...more,
    },
  });
  return [
    attribute('username', users.name, 'username', {
      'always.read.value.from.ldap': 'false',
      'is.mandatory.in.ldap': 'true',
    }),
    attribute('email', users.email, 'email'),
    attribute('first name', 'givenName', 'firstName'),
    attribute('last name', 'sn', 'lastName'),
    ...(kind === 'activeDirectory'
      ? // Accounts that are disabled there are so here.
        [{ name: 'MSAD account controls', providerId: 'msad-user-account-control-mapper', config: {} }]
      : []),
    ...(groupsAt === undefined || given.groups.length === 0
      ? []
      : [{ name: GROUP_MAPPER, providerId: 'group-ldap-mapper', config: groupSettings(kind, given, groupsAt) }]),
  ];
}

function groupSettings(
  kind: Kind,
  { name, users, groups }: DirectoryProvider,
  at: NonNullable<DirectoryProvider['groupsAt']>,
): Settings {
  const names = [...new Set(groups.map(({ group }) => groupName(group)))].sort();
  const mapped = names.map((group) => `(${at.name}=${filterText(group)})`).join('');
  return {
    'groups.dn': at.dn,
    'group.object.classes': at.classes.join(', '),
    'group.name.ldap.attribute': at.name,
    'groups.ldap.filter': at.filter === undefined ? `(|${mapped})` : `(&${at.filter}(|${mapped}))`,
    'membership.ldap.attribute': at.member,
    'membership.attribute.type': at.memberIs === 'dn' ? 'DN' : 'UID',
    'membership.user.ldap.attribute': users.name,
    'memberof.ldap.attribute': 'memberOf',
    mode: 'READ_ONLY',
    'user.roles.retrieve.strategy':
      kind === 'activeDirectory' ? 'LOAD_GROUPS_BY_MEMBER_ATTRIBUTE_RECURSIVELY' : 'LOAD_GROUPS_BY_MEMBER_ATTRIBUTE',
    'preserve.group.inheritance': 'false',
    'ignore.missing.groups': 'true',
    'drop.non.existing.groups.during.sync': 'false',
    'groups.path': `/${name}`,
  };
}
