import { DelosError } from '@delos/core';
import type { FastifyInstance } from 'fastify';
import { prefixOn } from './paths/cluster-paths.ts';
import type { ServiceAddress } from './service-address.ts';

interface KnownService extends ServiceAddress {
  /** After the title, in a sentence. */
  readonly verb: 'is' | 'are';
}

/**
 * Services that the client knows. A service is present where the list has a resource of its name; its line here then
 * does not count. The others answer that they are not part of this release, instead of a bare 404. The client asks only
 * services that it has an address of, so /config has the addresses of absent ones too.
 */
const KNOWN_SERVICES: readonly KnownService[] = [
  {
    name: 'storage',
    title: 'storage',
    verb: 'is',
    prefix: '/api/v1/storage',
    config: [{ in: 'cluster', key: 'storage_url' }],
  },
  {
    name: 'secrets',
    title: 'secrets',
    verb: 'are',
    prefix: '/api/v1/secrets',
    config: [{ in: 'cluster', key: 'secrets_url' }],
  },
  {
    name: 'buckets',
    title: 'buckets',
    verb: 'are',
    prefix: '/api/v1/buckets',
    config: [{ in: 'cluster', key: 'buckets_url' }],
  },
  { name: 'apps', title: 'apps', verb: 'are', prefix: '/api/v1/apps' },
  { name: 'apps', title: 'apps', verb: 'are', prefix: '/apis/apps' },
  {
    name: 'vcluster',
    title: 'virtual clusters',
    verb: 'are',
    prefix: '/apis/vcluster',
    config: [{ in: 'platform', key: 'vcluster_url' }],
  },
  {
    name: 'registry',
    title: 'the image registry',
    verb: 'is',
    prefix: '/v2',
    config: [{ in: 'cluster', key: 'registry_url', path: '' }],
  },
];

type List = Readonly<Record<string, ServiceAddress>>;

/** Services of the client that the list lacks. */
export function absentOf(resources: List): readonly KnownService[] {
  const present = new Set(Object.values(resources).map(({ name }) => name));
  return KNOWN_SERVICES.filter(({ name }) => !present.has(name));
}

/** Undefined where the path is none of an absent service. Upgrades, which no route sees, ask here too. */
export function absentAt(resources: List, path: string): DelosError | undefined {
  const found = absentOf(resources).find(({ prefix }) => {
    const pattern = prefix.replaceAll(/:[a-z]+/g, '[^/]+');
    return new RegExp(`^${pattern}(/|$)`).test(path);
  });
  return found === undefined ? undefined : absent(found);
}

/** Adds a route for each service that the list lacks. */
export function absentServices(app: FastifyInstance, resources: List): void {
  for (const service of absentOf(resources)) {
    for (const url of [service.prefix, `${service.prefix}/*`]) {
      app.all(url, { schema: { hide: true } }, async () => {
        throw absent(service);
      });
    }
  }
}

/**
 * The addresses that /config gives, of services that are there and of those that are not.
 * @param on the cluster that they are of, where it is not the platform's own
 */
export function configUrls(
  resources: List,
  publicUrl: string,
  part: 'public' | 'platform' | 'cluster',
  on?: string,
): Readonly<Record<string, string>> {
  const services: readonly ServiceAddress[] = [...Object.values(resources), ...absentOf(resources)];
  const urls = services.flatMap(({ prefix, config = [] }) =>
    config
      .filter((each) => each.in === part)
      .map(({ key, path }) => [key, publicUrl + (path ?? (on === undefined ? prefix : prefixOn(on, prefix)))] as const),
  );
  return Object.fromEntries(urls);
}

const absent = ({ title, verb }: KnownService): DelosError =>
  new DelosError('ERR_NOT_IMPLEMENTED', `${title} ${verb} not part of this release of Delos`);
