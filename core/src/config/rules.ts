import { nearest } from '../errors/nearest.ts';
import type { RuleFault } from './rule-fault.ts';
import type { PlatformConfig } from './shape.ts';
import { shareFaults } from './shares.ts';

/** What must hold between fields: names are unique, what is named is there, what is asked for can be had. */
export function checkConfig(config: PlatformConfig): readonly RuleFault[] {
  return [...uniqueNames(config), ...references(config), ...capacity(config), ...shareFaults(config), ...ports(config)];
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
    ...config.organizations.flatMap(({ projects }, org) => [
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

function repeated(names: readonly string[], path: RuleFault['path'], key: string): readonly RuleFault[] {
  return names.flatMap((name, index) => {
    const first = names.indexOf(name);
    if (first === index) return [];
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
    ...config.organizations.flatMap((org, orgIndex) =>
      org.projects.flatMap((project, projectIndex) =>
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
    ),
  ];
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
      const message = `no node that preset \`${preset.name}\` may run on has that much: at most ${largest}`;
      return [{ path: ['presets', index, field], message }];
    });
  });
  const vendors = config.presets.flatMap((preset, index) => {
    const asked = (['nvidiaGpu', 'amdGpu', 'intelGpu'] as const).filter((field) => preset[field] !== undefined);
    return asked.slice(1).map((field) => ({
      path: ['presets', index, field],
      message: `preset \`${preset.name}\` asks for ${asked[0]} as well: a job has devices of one vendor`,
    }));
  });
  return [...sizes, ...presets, ...vendors];
}

function ports({ gateway }: PlatformConfig): readonly RuleFault[] {
  if (gateway.http === 'off' || gateway.httpPort === 0 || gateway.httpPort !== gateway.httpsPort) return [];
  return [
    { path: ['gateway', 'httpsPort'], message: `${gateway.httpsPort} is the port of plain http already (httpPort)` },
  ];
}
