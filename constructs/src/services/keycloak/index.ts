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
  user: 60601,
  resources: { cpu: '100m', memory: '832Mi', memoryLimit: '1Gi' },
  database: 'keycloak',
  // Of the realm: login, tokens, keys. Consoles, client registration, brokering and the realm `master` are not routed.
  routes: [
    {
      paths: ['protocol/openid-connect', 'login-actions', '.well-known'].map((path) => `/auth/realms/delos/${path}/*`),
      // A path of other characters could mean one thing to the gateway and another to Keycloak.
      pattern: '^/auth/[A-Za-z0-9/._~-]+$',
      port: 'http',
    },
    { paths: ['/auth/resources/*'], port: 'http' },
  ],
  build: (scope, { namespace, image, database, publicUrl, config: whole, userNamespaces }) =>
    new Keycloak(scope, 'keycloak', {
      namespace,
      image,
      user: keycloak.user,
      resources: keycloak.resources,
      database,
      publicUrl,
      userNamespaces,
      realm: realmOf(whole, publicUrl),
    }),
};
