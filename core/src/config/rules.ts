import { nearest } from '../errors/nearest.ts';
import { projectNamespace } from '../project-namespace.ts';
import { quantityOf } from '../quantity.ts';
import { emailOf } from '../user-email.ts';
import { GPU_FIELDS } from '../words/gpu-kinds.ts';
import { acmeFaults, dnsFaults } from './dns.ts';
import { identityFaults } from './identity/rules.ts';
import { imageSourceFaults, mirrorFaults } from './image-mirrors.ts';
import { networkFaults } from './network.ts';
import { notificationFaults } from './notification-rules.ts';
import { LEAST_JOB_DISK } from './resources.ts';
import type { RuleFault } from './rule-fault.ts';
import type { PlatformConfig } from './shape.ts';
import { shareFaults } from './shares.ts';
import { fileStorageFaults } from './storage/file-storage.ts';
import { storageClassFaults } from './storage/storage-classes.ts';

/** What must hold between fields: names are unique, what is named is there, what is asked for can be had. */
export function checkConfig(config: PlatformConfig): readonly RuleFault[] {
  return [
    ...uniqueNames(config),
    ...uniqueEmails(config),
    ...uniqueNamespaces(config),
    ...references(config),
    ...capacity(config),
    ...embeddedNodes(config),
    ...imageSourceFaults(config.images),
    ...mirrorFaults(config.images.mirrors, config.cluster.engine),
    ...dnsFaults(config.dns, config.domain),
    ...acmeFaults(config.gateway.tls, config.dns, config.domain),
    ...networkFaults(config.network, config.cluster.engine),
    ...shareFaults(config),
    ...ports(config),
    ...logs(config),
    ...notificationFaults(config.notifications),
    ...identityFaults(config),
    ...storageClassFaults(config.storageClasses),
    ...fileStorageFaults(config.storage, config.profile),
    ...wholeSize(config),
  ];
}

function uniqueNames(config: PlatformConfig): readonly RuleFault[] {
  const named = (items: readonly { readonly name: string }[]): readonly string[] => items.map(({ name }) => name);
  return [
    ...repeated(named(config.nodePools), ['nodePools'], 'name'),
    ...repeated(named(config.presets), ['presets'], 'name'),
    ...repeated(named(config.organizations), ['organizations'], 'name'),
    ...repeated(named(config.users), ['users'], 'name'),
    ...config.users.flatMap(({ name }, index) =>
      name === config.admin.user
        ? [{ path: ['users', index, 'name'], message: `\`${name}\` is the admin's name already (admin.user)` }]
        : [],
    ),
    ...config.organizations.flatMap(({ projects, members: people }, org) => [
      ...repeated(
        people.map(({ user }) => user),
        ['organizations', org, 'members'],
        'user',
      ),
      ...repeated(named(projects), ['organizations', org, 'projects'], 'name'),
      ...projects.flatMap(({ members }, project) =>
        repeated(
          members.map(({ user }) => user),
          ['organizations', org, 'projects', project, 'members'],
          'user',
        ),
      ),
    ]),
  ];
}

/**
 * Keycloak refuses a second user with the same address (409), whatever its case, also where the address is a default. It
 * is told at each of these users, since nobody but the writer knows whose address it is.
 */
function uniqueEmails(config: PlatformConfig): readonly RuleFault[] {
  const { admin, users } = config;
  const people = [
    { who: `${admin.user} (admin.email)`, address: admin.email },
    ...users.map((user) => ({ who: user.name, address: emailOf(user, config) })),
  ];
  const byAddress = Map.groupBy(people, ({ address }) => address);
  return users.flatMap((user, index) => {
    const address = emailOf(user, config);
    const others = (byAddress.get(address) ?? []).filter((person) => person !== people[index + 1]);
    const [other, ...more] = others;
    if (other === undefined) return [];
    const given = user.email !== undefined;
    const path = ['users', index, given ? 'email' : 'name'];
    const what = given ? `\`${address}\`` : `\`${address}\`, which ${user.name} has since no other is given,`;
    const whose = more.length === 0 ? other.who : `${other.who} and ${more.length} more`;
    return [{ path, message: `${what} is also the address of ${whose}: each user needs one of their own` }];
  });
}

/** A namespace's name ends in a short digest, which two projects with long names alike may share. */
function uniqueNamespaces({ organizations }: PlatformConfig): readonly RuleFault[] {
  const owners = new Map<string, string>();
  return organizations.flatMap((org, o) =>
    org.projects.flatMap((project, p) => {
      const namespace = projectNamespace(org.name, project.name);
      const own = `${org.name}/${project.name}`;
      const owner = owners.get(namespace);
      owners.set(namespace, owner ?? own);
      if (owner === undefined || owner === own) return [];
      const message = `project ${own} would have the namespace of project ${owner}, \`${namespace}\`: rename one of them`;
      return [{ path: ['organizations', o, 'projects', p, 'name'], message }];
    }),
  );
}

/** Kubernetes keeps at most 1 MiB in a ConfigMap, and the services' file is in one. */
const MOST_CHARACTERS = 900_000;

function wholeSize(config: PlatformConfig): readonly RuleFault[] {
  const length = Buffer.byteLength(JSON.stringify(config, undefined, 2));
  if (length <= MOST_CHARACTERS) return [];
  const message = `the configuration has ${length} bytes with all defaults, and a ConfigMap holds ${MOST_CHARACTERS} of it: name fewer users, projects or members`;
  return [{ path: [], message }];
}

function repeated(names: readonly string[], path: RuleFault['path'], key: string): readonly RuleFault[] {
  const firsts = new Map<string, number>();
  return names.flatMap((name, index) => {
    const first = firsts.get(name);
    if (first === undefined) {
      firsts.set(name, index);
      return [];
    }
    return [
      { path: [...path, index, key], message: `\`${name}\` is there already, as entry ${first + 1}: names are unique` },
    ];
  });
}

function references(config: PlatformConfig): readonly RuleFault[] {
  const pools = config.nodePools.map(({ name }) => name);
  const users = [config.admin.user, ...config.users.map(({ name }) => name)];
  return [
    ...config.presets.flatMap((preset, index) =>
      preset.pools.flatMap((pool, position) =>
        unknown(pool, pools, ['presets', index, 'pools', position], 'node pool', 'nodePools'),
      ),
    ),
    ...config.organizations.flatMap((org, orgIndex) => [
      ...org.members.flatMap(({ user }, index) =>
        unknown(user, users, ['organizations', orgIndex, 'members', index, 'user'], 'user', 'users'),
      ),
      ...org.projects.flatMap((project, projectIndex) =>
        project.members.flatMap(({ user }, index) =>
          unknown(
            user,
            users,
            ['organizations', orgIndex, 'projects', projectIndex, 'members', index, 'user'],
            'user',
            'users',
          ),
        ),
      ),
    ]),
  ];
}

function embeddedNodes({ cluster, nodePools }: PlatformConfig): readonly RuleFault[] {
  const { nodes } = cluster.embedded;
  if (nodes === undefined) return [];
  const path = ['cluster', 'embedded', 'nodes'];
  if (cluster.engine === 'existing' || cluster.engine === 'kind') {
    return [
      { path, message: `these are nodes of the engine \`embedded\`, and cluster.engine is \`${cluster.engine}\`` },
    ];
  }
  const pools = nodePools.map(({ name }) => name);
  const strange = nodes.flatMap((pool, index) => unknown(pool, pools, [...path, index], 'node pool', 'nodePools'));
  const tooMany = nodePools.flatMap(({ name, maxSize }) => {
    const count = nodes.filter((pool) => pool === name).length;
    const message = `${count} nodes are of pool \`${name}\`, whose maxSize is ${maxSize}`;
    return count > maxSize ? [{ path, message }] : [];
  });
  return [...strange, ...tooMany];
}

function unknown(
  name: string,
  known: readonly string[],
  path: RuleFault['path'],
  what: string,
  list: string,
): readonly RuleFault[] {
  if (known.includes(name)) return [];
  const near = nearest(name, known);
  const advice = near === undefined ? `\`${list}\` has: ${known.join(', ')}` : `did you mean \`${near}\`?`;
  return [{ path, message: `no ${what} is named \`${name}\`; ${advice}` }];
}

function capacity(config: PlatformConfig): readonly RuleFault[] {
  const sizes = config.nodePools.flatMap(({ name, minSize, maxSize }, index) =>
    minSize > maxSize
      ? [
          {
            path: ['nodePools', index, 'minSize'],
            message: `pool \`${name}\`: minSize ${minSize} is above maxSize ${maxSize}`,
          },
        ]
      : [],
  );
  const presets = config.presets.flatMap((preset, index) => {
    const pools = config.nodePools.filter(({ name }) => preset.pools.length === 0 || preset.pools.includes(name));
    return (['cpu', 'memory'] as const).flatMap((field) => {
      // A pool that does not say what its nodes have may have enough.
      const largest = Math.max(...pools.map((pool) => pool[field] ?? Number.POSITIVE_INFINITY));
      if (pools.length === 0 || preset[field] <= largest) return [];
      const message = `no node that preset \`${preset.name}\` may run on has that much: at most ${field === 'memory' ? quantityOf(largest) : largest}`;
      return [{ path: ['presets', index, field], message }];
    });
  });
  const disks = config.presets.flatMap(({ name, disk }, index) =>
    disk >= LEAST_JOB_DISK
      ? []
      : [
          {
            path: ['presets', index, 'disk'],
            message: `preset \`${name}\`: expected at least ${quantityOf(LEAST_JOB_DISK)}, since a job’s log lies there too`,
          },
        ],
  );
  const vendors = config.presets.flatMap((preset, index) => {
    const asked = GPU_FIELDS.filter((field) => preset[field] !== undefined);
    return asked.slice(1).map((field) => ({
      path: ['presets', index, field],
      message: `preset \`${preset.name}\` asks for ${asked[0]} as well: a job has devices of one vendor`,
    }));
  });
  return [...sizes, ...presets, ...disks, ...vendors];
}

function ports({ gateway }: PlatformConfig): readonly RuleFault[] {
  if (gateway.http === 'off' || gateway.httpPort === 0 || gateway.httpPort !== gateway.httpsPort) return [];
  return [
    { path: ['gateway', 'httpsPort'], message: `${gateway.httpsPort} is the port of plain http already (httpPort)` },
  ];
}

/** Each limit of logs is within the next. */
function logs({ logs: { jobLimit, maxJobLimit, projectLimit, totalLimit } }: PlatformConfig): readonly RuleFault[] {
  const fault = (key: string, message: string): readonly RuleFault[] => [{ path: ['logs', key], message }];
  if (jobLimit > maxJobLimit) return fault('jobLimit', 'it is above maxJobLimit, the most that a job may ask for');
  if (maxJobLimit > projectLimit) {
    return fault('maxJobLimit', 'it is above projectLimit, which all logs of a project share');
  }
  if (projectLimit > totalLimit) return fault('projectLimit', 'it is above totalLimit, which all projects share');
  return [];
}
