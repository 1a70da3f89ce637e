import type { k8s } from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import type { Peer } from '../../base/connections.ts';
import type { Mount } from '../../base/mount.ts';
import { hostOf, selectorOf } from '../../base/names.ts';
import type { Namespace } from '../../base/namespace.ts';
import { Secret, type SecretKey } from '../../base/secret.ts';
import { env, fileOf } from '../../base/secret-folder.ts';
import type { RotationWay } from '../../synthesis.ts';

/** Name of the service that keeps images. */
export const IMAGE_REGISTRY = 'registry';
/** Name of the image that builds images, and of the ConfigMap that says its reference. */
export const IMAGE_BUILDER = 'image-builder';
/** Its file. */
export const BUILDER_FILE = 'builder.json';
const BUILDER_FOLDER = '/etc/delos-builder';
/** Port of its API. */
export const IMAGE_REGISTRY_PORT = 5000;

const ROTATED: RotationWay = {
  kind: 'overlap',
  ends: 'what builds of images push with, and what nodes pull images with for jobs that start just then',
};

/**
 * The registry of images, as the control API knows it: it signs the registry's tokens, and asks it what images there are. It is
 * made before the registry, which may come later: what the control API is told then does not change, and no Pod of it is replaced.
 */
export class ImageRegistry extends Construct {
  /** Signs the tokens. */
  readonly key: SecretKey;
  /** Its Pods. */
  readonly peer: Peer;
  readonly #url: string;

  constructor(scope: Construct, id: string, namespace: Namespace) {
    super(scope, id);
    const secret = new Secret(this, 'token-key', {
      namespace,
      name: `${IMAGE_REGISTRY}-token-key`,
      sources: { key: { kind: 'signing-key', rotation: ROTATED } },
    });
    this.key = { secret, key: 'key' };
    this.peer = {
      kind: 'pods',
      namespace: namespace.name,
      labels: selectorOf(IMAGE_REGISTRY),
      ports: [IMAGE_REGISTRY_PORT],
    };
    this.#url = `http://${hostOf(IMAGE_REGISTRY, namespace.name)}:${IMAGE_REGISTRY_PORT}`;
  }

  /** What the control API is told of it. */
  env(): readonly k8s.EnvVar[] {
    return [
      env('DELOS_REGISTRY_URL', this.#url),
      env('DELOS_REGISTRY_SECRET_FILE', fileOf(this.key)),
      env('DELOS_BUILDER_FILE', `${BUILDER_FOLDER}/${BUILDER_FILE}`),
    ];
  }

  /** What builds images: it comes with the registry, and the kubelet brings the file then. */
  builder(): Mount {
    return {
      name: IMAGE_BUILDER,
      path: BUILDER_FOLDER,
      readOnly: true,
      volume: { configMap: { name: IMAGE_BUILDER, optional: true } },
    };
  }
}
