import { z } from 'zod';
import type { ServiceDescriptor } from '../../base/service.ts';
import { POSTGRES_USER } from './files.ts';
import { Postgres } from './postgres.ts';

const config = z.strictObject({}).prefault({});

export const postgres: ServiceDescriptor<z.infer<typeof config>, Postgres> = {
  name: 'postgres',
  idea: 'PostgreSQL: the state of the platform',
  image: 'postgres',
  config,
  user: POSTGRES_USER,
  resources: { cpu: '100m', memory: '384Mi', memoryLimit: '576Mi' },
  build: (scope, { namespace, image, config: { cluster } }) =>
    new Postgres(scope, 'postgres', {
      namespace,
      image,
      user: postgres.user,
      resources: postgres.resources,
      storageClass: cluster.storageClass,
    }),
};
