import { host, plainText, secretReference, serverPort } from '@delos/core';
import { Construct } from 'constructs';
import { z } from 'zod';
import type { CacheServer } from '../../base/cache.ts';
import { peerOf, reachKeys, refuseUnreachable } from '../../base/external/external-server.ts';
import { tlsOf, tlsSection } from '../../base/external/external-tls.ts';
import { secretKeyOf } from '../../base/external/secret-reference.ts';
import type { ExternalForm, ServiceConstruct } from '../../base/service.ts';
import { externalRedis } from './external.ts';

const section = z
  .strictObject({
    host: host.describe('DNS name or address. With TLS, its certificate is for this name'),
    port: serverPort.default(6379).describe('TCP port'),
    tls: tlsSection,
    ...reachKeys,
    users: z
      .record(
        z.string(),
        z.strictObject({
          user: plainText.optional().describe('Name of the user there; left out: this key'),
          password: secretReference.describe('Where the user’s password is'),
        }),
      )
      .describe('Each user that services ask for: `control-api`'),
  })
  .superRefine((given, context) => refuseUnreachable(given, { host: given.host, path: ['host'] }, context));

/** `services.redis.external` of delos.yaml. */
export const externalForm: ExternalForm<z.infer<typeof section>, ServiceConstruct & { readonly cache: CacheServer }> = {
  config: section,
  lists: { key: 'users', of: 'cache' },
  build: (scope, { namespace }, given) => {
    const own = new Construct(scope, 'redis');
    const users = Object.entries(given.users).map(([asked, { user, password }]) => [
      asked,
      {
        ...(user === undefined ? {} : { user }),
        password: secretKeyOf(own, `redis-${asked}`, namespace, password),
      },
    ]);
    const tls = tlsOf(own, 'redis-authority', namespace, given.tls);
    return {
      cache: externalRedis({
        host: given.host,
        port: given.port,
        peer: peerOf(given, given.host, given.port),
        users: Object.fromEntries(users),
        ...(tls === undefined ? {} : { tls }),
      }),
    };
  },
};
