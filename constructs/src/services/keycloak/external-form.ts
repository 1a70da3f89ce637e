import { OPERATOR_CLIENT, secretReference } from '@delos/core';
import { Construct } from 'constructs';
import { z } from 'zod';
import { peerOf, reachKeys, refuseUnreachable } from '../../base/external/external-server.ts';
import { secretKeyOf } from '../../base/external/secret-reference.ts';
import type { Identity } from '../../base/identity.ts';
import type { ExternalForm, ServiceConstruct } from '../../base/service.ts';
import { portOfUrl } from '../../url-port.ts';
import { externalKeycloak, KEYCLOAK_URL } from './external.ts';
import { realmOf } from './realm.ts';

const url = z
  .string()
  .refine(
    (text) => KEYCLOAK_URL.test(text) && URL.canParse(text),
    'expected https://HOST[:PORT][/PATH] of a Keycloak, no slash at the end',
  );

const section = z
  .strictObject({
    url: url.describe('Where users reach it, its path included'),
    internalUrl: url.optional().describe('Where services inside the cluster reach it; left out: the same'),
    admin: secretReference.describe(
      `Where the secret of the client \`${OPERATOR_CLIENT}\` of its realm \`master\` is, which may manage realms`,
    ),
    authority: secretReference
      .optional()
      .describe('Where the authority of its certificate is, PEM; left out: a public one'),
    ...reachKeys,
  })
  .superRefine((given, context) => {
    const { hostname } = new URL(given.internalUrl ?? given.url);
    const key = given.internalUrl === undefined ? 'url' : 'internalUrl';
    refuseUnreachable(given, { host: hostname, path: [key] }, context);
  });

/** `services.keycloak.external` of delos.yaml. */
export const externalForm: ExternalForm<z.infer<typeof section>, ServiceConstruct & Identity> = {
  config: section,
  build: (scope, { namespace, config, publicUrl, logins }, given) => {
    const inside = given.internalUrl ?? given.url;
    const own = new Construct(scope, 'keycloak');
    return externalKeycloak({
      url: given.url,
      ...(given.internalUrl === undefined ? {} : { internalUrl: given.internalUrl }),
      realm: realmOf(config, publicUrl, logins),
      ...(given.authority === undefined
        ? {}
        : { authority: secretKeyOf(own, 'keycloak-authority', namespace, given.authority) }),
      admin: secretKeyOf(own, 'keycloak-operator', namespace, given.admin),
      peer: peerOf(given, new URL(inside).hostname, portOfUrl(inside)),
    });
  },
};
