import { SERVICE_USERS } from '@delos/core';
import { z } from 'zod';
import type { ServiceDescriptor } from '../../base/service.ts';
import { Keycloak } from './keycloak.ts';
import { realmOf } from './realm.ts';

const config = z.strictObject({}).prefault({});

export const keycloak: ServiceDescriptor<z.infer<typeof config>, Keycloak> = {
  name: 'keycloak',
  idea: 'Keycloak: who may log in',
  image: 'keycloak',
  config,
  user: SERVICE_USERS.keycloak,
  resources: { cpu: '100m', memory: '832Mi', memoryLimit: '1Gi' },
  database: 'keycloak',
  // Its console and the realm `master` are not routed.
  routes: [{ paths: ['/auth/realms/delos/*', '/auth/resources/*'], port: 'http' }],
  build: (scope, { namespace, image, database, context, config: whole, userNamespaces }) =>
    new Keycloak(scope, 'keycloak', {
      namespace,
      image,
      user: keycloak.user,
      resources: keycloak.resources,
      database,
      publicUrl: context.publicUrl,
      userNamespaces,
      realm: realmOf(whole, context.publicUrl),
    }),
};
