import { IDENTITY_PATH, REALM_PATH } from '@delos/core';
import type { z } from 'zod';
import type { Identity } from '../../base/identity.ts';
import { type Replicas, replicas } from '../../base/sections/replicas.ts';
import type { ServiceConstruct, ServiceDescriptor } from '../../base/service.ts';
import { externalForm } from './external-form.ts';
import { KEYCLOAK_RESOURCES, KEYCLOAK_USER, Keycloak } from './keycloak.ts';
import { realmOf } from './realm.ts';

/** The service that people log in to. */
export const keycloak: ServiceDescriptor<
  Replicas,
  ServiceConstruct & Identity,
  z.infer<(typeof externalForm)['config']>
> = {
  name: 'keycloak',
  idea: 'Keycloak: who may log in',
  image: 'keycloak',
  config: replicas,
  user: KEYCLOAK_USER,
  resources: KEYCLOAK_RESOURCES,
  database: 'keycloak',
  // Kubernetes makes no second Pod of a StatefulSet while it cannot tell that the first has ended.
  diesWithNode: 'it runs once, and its Pod is not moved while its node is lost',
  outlivesNode: { setting: 'replicas: 2', holds: (own) => own.replicas > 1 },
  external: externalForm,
  // Of the realm: login, tokens, keys. Consoles, client registration and the realm `master` are not routed.
  routes: [
    // Whom another identity provider sends back. Linking of accounts, and tokens of the provider, are left out.
    {
      paths: [`${REALM_PATH}/broker/*`],
      pattern: `^${REALM_PATH}/broker/[a-z0-9-]+/(login|endpoint|endpoint/descriptor)$`,
      port: 'http',
    },
    {
      paths: ['protocol/openid-connect', 'login-actions', '.well-known'].map((path) => `${REALM_PATH}/${path}/*`),
      // A path of other characters could mean one thing to the gateway and another to Keycloak.
      pattern: `^${IDENTITY_PATH}/[A-Za-z0-9/._~-]+$`,
      port: 'http',
    },
    { paths: [`${IDENTITY_PATH}/resources/*`], port: 'http' },
  ],
  dialsOut: { trustedBy: 'KC_TRUSTSTORE_PATHS' },
  metrics: { port: 'management' },
  alerts: [
    {
      name: 'KeycloakMemoryShort',
      severity: 'warning',
      expr: 'sum by (job) (jvm_memory_used_bytes{area="heap"}) / sum by (job) (jvm_memory_max_bytes{area="heap"}) > 0.97',
      for: '15m',
      summary: 'Keycloak has hardly any memory left: logins get slow',
    },
  ],
  panels: [
    {
      title: 'Heap in use',
      unit: 'ratio',
      series: [
        {
          expr: 'sum by (job) (jvm_memory_used_bytes{area="heap"}) / sum by (job) (jvm_memory_max_bytes{area="heap"})',
          legend: 'heap',
        },
      ],
    },
    {
      title: 'Requests',
      unit: 'per-second',
      series: [
        {
          expr: 'sum by (status) (rate(http_server_requests_seconds_count{job="keycloak"}[5m]))',
          legend: '{{status}}',
        },
      ],
    },
  ],
  build: (scope, { own, namespace, image, resources, database, publicUrl, config: whole, userNamespaces, logins }) =>
    new Keycloak(scope, 'keycloak', {
      namespace,
      image,
      user: keycloak.user,
      resources,
      replicas: own.replicas,
      database,
      publicUrl,
      userNamespaces,
      realm: realmOf(whole, publicUrl, logins),
    }),
};
