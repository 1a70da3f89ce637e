import { dnsSubdomain } from '@delos/core';
import { ApiObject } from 'cdk8s';
import type { Construct } from 'constructs';
import { z } from 'zod';
import { PART_OF } from '../names.ts';
import type { Namespace } from '../namespace.ts';
import { Secret, type SecretHandle, type SecretKey } from '../secret.ts';

const KEY = /^[a-zA-Z0-9._-]{1,253}$/;
const keyName = z.string().regex(KEY, 'expected letters, digits, dots, hyphens and underscores');

const FORMS = '{secret: {name, key}}, {file: /PATH} or {externalSecret: {store, key}}';

/** A text where a reference belongs is most likely the secret: it is not repeated in the error. */
const noValue = (given: unknown, context: z.RefinementCtx): unknown => {
  if (typeof given === 'object' && given !== null && !Array.isArray(given)) return given;
  if (given === undefined) return given;
  context.addIssue({
    code: 'custom',
    message: `expected where the secret is, never the secret itself: ${FORMS}. If it was one, it is now in this file: change it`,
  });
  return z.NEVER;
};

/** Where a secret is that the platform does not make itself. Its value never stands in delos.yaml. */
export const secretReference = z.preprocess(
  noValue,
  z
    .strictObject({
      secret: z
        .strictObject({
          name: dnsSubdomain.describe('Its name, in the namespace `delos`'),
          key: keyName.describe('Key within it'),
        })
        .optional()
        .describe('A Secret that is in the cluster; Pods wait until it is there'),
      file: z
        .string()
        .regex(/^\/[^\0]+$/, 'expected an absolute path')
        .optional()
        .describe(
          'A file of the machine that deploys, read at each deployment. A line break at its end is not part of it',
        ),
      externalSecret: z
        .strictObject({
          store: dnsSubdomain.describe('Name of the store'),
          kind: z
            .enum(['SecretStore', 'ClusterSecretStore'])
            .default('ClusterSecretStore')
            .describe('Kind of the store'),
          key: z.string().min(1).max(1024).describe('Key in the store'),
          property: z
            .string()
            .min(1)
            .max(1024)
            .optional()
            .describe('A part of what the key holds; left out: all of it'),
        })
        .optional()
        .describe('What External Secrets fetches from a store; its operator must be in the cluster'),
    })
    .superRefine((given, context) => {
      if (Object.values(given).filter((form) => form !== undefined).length === 1) return;
      context.addIssue({ code: 'custom', message: `expected exactly one of ${FORMS}` });
    }),
);
/** Where a secret is that the platform does not make itself. */
export type SecretReference = z.infer<typeof secretReference>;

/** The key that {@link secretKeyOf} makes. */
const VALUE = 'value';

/**
 * What a reference leads to, as a key that Pods can mount: the Secret that is there, or one that is made of the file or the store.
 * @param id of the construct, and name of the Secret where one is made
 */
export function secretKeyOf(scope: Construct, id: string, namespace: Namespace, reference: SecretReference): SecretKey {
  const { secret, file, externalSecret } = reference;
  if (secret !== undefined) {
    return { secret: Secret.external({ namespace, name: secret.name }), key: secret.key };
  }
  if (externalSecret !== undefined) {
    return { secret: new FetchedSecret(scope, id, { namespace, from: externalSecret }), key: VALUE };
  }
  const path = file ?? '';
  return { secret: new Secret(scope, id, { namespace, sources: { [VALUE]: { kind: 'file', path } } }), key: VALUE };
}

/** A Secret that External Secrets makes, by an object of its own kind. @see https://external-secrets.io/latest/api/externalsecret/ */
class FetchedSecret extends ApiObject implements SecretHandle {
  readonly namespace: Namespace;

  constructor(
    scope: Construct,
    id: string,
    props: { readonly namespace: Namespace; readonly from: NonNullable<SecretReference['externalSecret']> },
  ) {
    const { store, kind, key, property } = props.from;
    super(scope, id, {
      apiVersion: 'external-secrets.io/v1',
      kind: 'ExternalSecret',
      metadata: { name: id, namespace: props.namespace.name, labels: { ...PART_OF } },
      spec: {
        refreshInterval: '1h0m0s',
        secretStoreRef: { name: store, kind },
        target: { name: id, creationPolicy: 'Owner' },
        data: [{ secretKey: VALUE, remoteRef: { key, ...(property === undefined ? {} : { property }) } }],
      },
    });
    this.namespace = props.namespace;
    this.node.addDependency(props.namespace);
  }
}
