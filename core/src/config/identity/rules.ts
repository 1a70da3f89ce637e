import { nearest } from '../../errors/nearest.ts';
import { type Provider, providersOf } from '../../identity-providers.ts';
import type { RuleFault } from '../rule-fault.ts';
import type { PlatformConfig } from '../shape.ts';
import { type DirectoryProvider, groupName } from './directory.ts';

/** Names that Keycloak's realm has for the platform's own use, or that its paths have. */
const TAKEN = ['operator', 'configured', 'local'];
/** Providers of all kinds together. */
const MOST_PROVIDERS = 20;

/** What must hold between providers, users, organizations and projects. */
export function identityFaults(config: PlatformConfig): readonly RuleFault[] {
  const all = providersOf(config.identity);
  return [
    ...names(all),
    ...all.flatMap(({ settings, path, kind }) =>
      kind === 'ldap' || kind === 'activeDirectory' ? directoryFaults(settings, path) : [],
    ),
    ...all.flatMap((provider) => mappingFaults(provider, config)),
    ...userFaults(config, all),
  ];
}

function names(all: readonly Provider[]): readonly RuleFault[] {
  const seen = new Map<string, string>();
  const faults = all.flatMap(({ settings: { name }, path }): readonly RuleFault[] => {
    const first = seen.get(name);
    seen.set(name, first ?? `entry ${Number(path[2]) + 1} of identity.${String(path[1])}`);
    const at = [...path, 'name'];
    if (TAKEN.includes(name)) return [{ path: at, message: `\`${name}\` is the platform’s own: choose another name` }];
    if (first === undefined) return [];
    return [{ path: at, message: `\`${name}\` is there already, as ${first}: names of providers are unique` }];
  });
  if (all.length <= MOST_PROVIDERS) return faults;
  return [
    ...faults,
    { path: ['identity'], message: `there are ${all.length} providers, and ${MOST_PROVIDERS} are the most` },
  ];
}

function directoryFaults(given: DirectoryProvider, path: RuleFault['path']): readonly RuleFault[] {
  const { name, url, startTls, insecure, bindDn, bindPassword, groups, groupsAt } = given;
  const fault = (key: string, message: string): RuleFault => ({ path: [...path, key], message });
  const plain = url.startsWith('ldap:');
  return [
    ...(plain && !startTls && !insecure
      ? [
          fault(
            'url',
            `provider \`${name}\`: everybody in between reads the passwords of ldap://. Expected ldaps://, \`startTls: true\`, or \`insecure: true\` for a try-out`,
          ),
        ]
      : []),
    ...(!plain && startTls ? [fault('startTls', 'ldaps:// is protected from its first byte: expected ldap://')] : []),
    ...(insecure && (startTls || !plain) ? [fault('insecure', 'the connection is protected: leave this out')] : []),
    ...(bindDn !== undefined && bindPassword === undefined
      ? [fault('bindDn', 'a `bindDn` needs `bindPassword`, which says where its password is')]
      : []),
    ...(bindDn === undefined && bindPassword !== undefined
      ? [fault('bindPassword', 'a password needs `bindDn`, whose it is')]
      : []),
    ...(groups.length > 0 && groupsAt === undefined
      ? [fault('groups', `provider \`${name}\`: groups are named, and \`groupsAt\` does not say where they are`)]
      : []),
  ];
}

function mappingFaults({ settings, path, kind }: Provider, config: PlatformConfig): readonly RuleFault[] {
  const { groups } = settings;
  const directory = kind === 'ldap' || kind === 'activeDirectory';
  const organizations = config.organizations.map(({ name }) => name);
  const seen = new Set<string>();
  return groups.flatMap(({ group, organization, project }, index) => {
    const at = [...path, 'groups', index];
    if (directory && groupName(group).includes('/')) {
      return [
        { path: [...at, 'group'], message: `\`${group}\` has a slash, which Keycloak takes for a step of a path` },
      ];
    }
    const key = JSON.stringify([groupName(group), organization, project]);
    if (seen.has(key)) return [{ path: [...at, 'group'], message: `\`${group}\` is mapped to the same place already` }];
    seen.add(key);
    const found = config.organizations.find(({ name }) => name === organization);
    if (found === undefined)
      return [{ path: [...at, 'organization'], message: none('organization', organization, organizations) }];
    const projects = found.projects.map(({ name }) => name);
    if (project === undefined || projects.includes(project)) return [];
    const what = `project of ${organization}`;
    return [{ path: [...at, 'project'], message: none(what, project, projects) }];
  });
}

/** A person is of the platform or of one provider, which `users` says; a name of both would be two people. */
function userFaults(config: PlatformConfig, all: readonly Provider[]): readonly RuleFault[] {
  const known = all.map(({ settings: { name } }) => name);
  return config.users.flatMap(({ provider }, index) =>
    provider === undefined || known.includes(provider)
      ? []
      : [{ path: ['users', index, 'provider'], message: none('provider', provider, known, 'identity') }],
  );
}

function none(what: string, name: string, known: readonly string[], list = ''): string {
  const near = nearest(name, known);
  const all = known.length === 0 ? 'there is none' : `there are: ${known.join(', ')}`;
  const advice = near === undefined ? all : `did you mean \`${near}\`?`;
  return `no ${what} is named \`${name}\`${list === '' ? '' : ` in \`${list}\``}; ${advice}`;
}
