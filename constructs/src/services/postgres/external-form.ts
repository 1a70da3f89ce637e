import { host, POSTGRES_PORT, plainText, secretReference, serverPort } from '@delos/core';
import { Construct } from 'constructs';
import { z } from 'zod';
import type { DatabaseServer } from '../../base/database.ts';
import { peerOf, reachKeys, refuseUnreachable } from '../../base/external/external-server.ts';
import { tlsOf, tlsSection } from '../../base/external/external-tls.ts';
import { secretKeyOf } from '../../base/external/secret-reference.ts';
import type { ExternalForm, ServiceConstruct } from '../../base/service.ts';
import { externalPostgres } from './external.ts';

const section = z
  .strictObject({
    host: host.describe('DNS name or address'),
    port: serverPort.default(POSTGRES_PORT).describe('TCP port'),
    tls: tlsSection,
    ...reachKeys,
    databases: z
      .record(
        z.string(),
        z.strictObject({
          name: plainText.optional().describe('Name of the database there; left out: this key'),
          user: plainText.optional().describe('Its owner; left out: this key'),
          password: secretReference.describe('Where the owner’s password is'),
        }),
      )
      .describe('Each database that services ask for: `delos`, `keycloak`'),
  })
  .superRefine((given, context) => refuseUnreachable(given, { host: given.host, path: ['host'] }, context));

/** `services.postgres.external` of delos.yaml. */
export const externalForm: ExternalForm<z.infer<typeof section>, ServiceConstruct & DatabaseServer> = {
  config: section,
  lists: { key: 'databases', of: 'database' },
  build: (scope, { namespace }, given) => {
    const own = new Construct(scope, 'postgres');
    const databases = Object.entries(given.databases).map(([asked, { name, user, password }]) => [
      asked,
      {
        ...(name === undefined ? {} : { name }),
        ...(user === undefined ? {} : { user }),
        password: secretKeyOf(own, `postgres-${asked}`, namespace, password),
      },
    ]);
    const tls = tlsOf(own, 'postgres-authority', namespace, given.tls);
    return externalPostgres({
      ...(tls === undefined ? {} : { tls }),
      host: given.host,
      port: given.port,
      peer: peerOf(given, given.host, given.port),
      databases: Object.fromEntries(databases),
    });
  },
};
