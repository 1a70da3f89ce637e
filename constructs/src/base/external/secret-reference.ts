import type { SecretReference } from '@delos/core';
import { ApiObject } from 'cdk8s';
import type { Construct } from 'constructs';
import { PART_OF } from '../names.ts';
import type { Namespace } from '../namespace.ts';
import { Secret, type SecretHandle, type SecretKey } from '../secret.ts';

/** The key that {@link secretKeyOf} makes. */
const VALUE = 'value';

/**
 * The key of a Secret that a reference stands for. Pods can mount it.
 * The Secret is there already, or it is made from the file or the store.
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
