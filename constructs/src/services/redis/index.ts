import { z } from 'zod';
import type { CacheServer } from '../../base/cache.ts';
import type { ServiceConstruct, ServiceDescriptor } from '../../base/service.ts';
import { externalForm } from './external-form.ts';
import { REDIS_RESOURCES, REDIS_USER, Redis } from './redis.ts';

const config = z.strictObject({}).prefault({});

/** The service that keeps what may be lost. */
export const redis: ServiceDescriptor<
  z.infer<typeof config>,
  ServiceConstruct & { readonly cache: CacheServer },
  z.infer<(typeof externalForm)['config']>
> = {
  name: 'redis',
  idea: 'Redis: what replicas share and may lose',
  image: 'redis',
  config,
  user: REDIS_USER,
  resources: REDIS_RESOURCES,
  alerts: [
    {
      name: 'CacheAway',
      severity: 'warning',
      expr: 'delos_cache_up < 1',
      for: '5m',
      summary: 'Redis does not answer: each replica keeps limits by itself',
    },
  ],
  panels: [
    {
      title: 'Whether the control API reaches it',
      unit: 'count',
      kind: 'now',
      series: [{ expr: 'min by (instance) (delos_cache_up)', legend: '{{instance}}' }],
    },
    {
      title: 'What the control API could not do there',
      unit: 'per-second',
      series: [{ expr: 'sum by (why) (rate(delos_cache_failures_total[5m]))', legend: '{{why}}' }],
      emptyUnless: 'the cache has failed',
    },
  ],
  external: externalForm,
  build: (scope, { namespace, image, resources, userNamespaces }) =>
    new Redis(scope, 'redis', {
      namespace,
      image,
      user: redis.user,
      resources,
      userNamespaces,
    }),
};
