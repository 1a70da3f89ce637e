import { entranceNames, quantityOf, type RuleFault } from '@delos/core';
import type { ServiceDescriptor } from './base/service.ts';
import type { DelosConfig } from './delos-config.ts';
import { ownServices } from './service-list.ts';
import { externalOf, isEnabled, sectionName, sectionOf } from './service-sections.ts';
import { dns } from './services/dns/index.ts';
import { egress } from './services/egress/index.ts';
import { postgres } from './services/postgres/index.ts';

/** Faults between services: one lacks a service that it needs, or an external one lacks what others ask of it. */
export function serviceFaults(config: DelosConfig, services: readonly ServiceDescriptor[]): readonly RuleFault[] {
  return [
    ...missingNeeds(config, services),
    ...missingInLists(config, services),
    ...diesWithNode(config, services),
    ...logsBeyondVolume(config, services),
    ...noWayOut(config, services),
    ...zoneWithoutRecords(config),
  ];
}

const needsOf = ({ needs = [], database }: ServiceDescriptor): readonly string[] => [
  ...needs.map(({ name }) => name),
  ...(database === undefined ? [] : [postgres.name]),
];

/** `a, b and c` */
const listed = (names: readonly string[]): string =>
  names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;

function missingNeeds(config: DelosConfig, services: readonly ServiceDescriptor[]): readonly RuleFault[] {
  return services
    .filter((service) => !isEnabled(config, service))
    .flatMap((service) => {
      const needed = ownServices(config, services).filter((other) => needsOf(other).includes(service.name));
      if (needed.length === 0) return [];
      const ways = [
        ...(service.external === undefined
          ? []
          : [`say where yours is (\`services.${sectionName(service)}.external\`)`]),
        `leave ${needed.length === 1 ? 'that' : 'those'} out as well`,
      ];
      return [
        {
          path: ['services', sectionName(service), 'enabled'],
          message: `${listed(needed.map(({ name }) => name))} cannot work without ${service.name}: ${ways.join(', or ')}`,
        },
      ];
    });
}

function missingInLists(config: DelosConfig, services: readonly ServiceDescriptor[]): readonly RuleFault[] {
  return services.flatMap((service) => {
    const given = isEnabled(config, service) ? externalOf(config, service) : undefined;
    const lists = service.external?.lists;
    if (given === undefined || lists === undefined) return [];
    const asked = ownServices(config, services)
      .filter((other) => other[lists.of] !== undefined && !(lists.of === 'bucket' && other.bucketOptional === true))
      .map((other) => ({ by: other.name, what: (lists.of === 'cache' ? other.name : other[lists.of]) ?? '' }));
    const there = Object.keys(Object(given[lists.key]));
    const missing = Map.groupBy(
      asked.filter(({ what }) => !there.includes(what)),
      ({ what }) => what,
    );
    return [...missing].map(([what, all]) => ({
      path: ['services', sectionName(service), 'external', lists.key],
      message: `\`${what}\` is missing, which ${listed(all.map(({ by }) => by))} ${all.length === 1 ? 'asks' : 'ask'} for`,
    }));
  });
}

function diesWithNode(config: DelosConfig, services: readonly ServiceDescriptor[]): readonly RuleFault[] {
  if (config.profile !== 'ha') return [];
  const mortal = ownServices(config, services).filter((service) => service.diesWithNode !== undefined);
  if (mortal.length === 0) return [];
  const reasons = mortal.map(({ name, diesWithNode: why }) => `${name} (${why})`);
  const ways = mortal.map((service) => `\`services.${sectionName(service)}.${wayOut(service)}\``);
  return [
    {
      path: ['profile'],
      message: `ha goes on when any node is lost, and ${listed(reasons)} would not: set ${listed(ways)}, or use medium`,
    },
  ];
}

/** The key by which nothing is lost with a node. */
function wayOut({ members, external }: ServiceDescriptor): string {
  if (members !== undefined) return 'replicas: 3';
  return external === undefined ? 'enabled: false' : 'external';
}

/** The archive of logs is a table. */
function logsBeyondVolume(config: DelosConfig, services: readonly ServiceDescriptor[]): readonly RuleFault[] {
  if (!ownServices(config, services).some(({ name }) => name === postgres.name)) return [];
  const { storage } = sectionOf(config, postgres);
  if (config.logs.totalLimit < storage) return [];
  return [
    {
      path: ['logs', 'totalLimit'],
      message: `it must be less than \`services.postgres.storage\` (${quantityOf(storage)}), since logs lie in PostgreSQL`,
    },
  ];
}

/** Nothing else knows the proxy's login. */
function noWayOut(config: DelosConfig, services: readonly ServiceDescriptor[]): readonly RuleFault[] {
  if (config.network.proxy === undefined || !services.some(({ name }) => name === egress.name)) return [];
  if (isEnabled(config, egress)) return [];
  const message = '`network.proxy` is reached through this service: leave out one of both, or none';
  return [{ path: ['services', sectionName(egress), 'enabled'], message }];
}

/** A zone leads somewhere, and manifests are made before a load balancer has an address. */
function zoneWithoutRecords(config: DelosConfig): readonly RuleFault[] {
  // A platform without a name has no records: the zone is then empty.
  if (!isEnabled(config, dns) || entranceNames(config.domain).length === 0) return [];
  if (config.dns.addresses.length > 0) return [];
  return [
    {
      path: ['services', 'dns', 'enabled'],
      message: 'set `dns.addresses` to the addresses that the names lead to',
    },
  ];
}
