import { OBJECT_REGION } from '@delos/core';
import { Construct } from 'constructs';
import { claim, secretFiles } from '../../base/mount.ts';
import { PORTS } from '../../base/names.ts';
import type { Namespace } from '../../base/namespace.ts';
import type { Resources } from '../../base/pod.ts';
import { OWN_PROBES } from '../../base/probes.ts';
import { Secret, type SecretKey } from '../../base/secret.ts';
import { env } from '../../base/secret-folder.ts';
import { goMemoryLimit } from '../../base/sections/resources-section.ts';
import { type Bucket, type BucketServer, checkBucketName } from '../../base/storage/bucket.ts';
import { Workload } from '../../base/workload.ts';
import type { RotationWay } from '../../synthesis.ts';
import { type ExternalObjectStorageProps, externalObjectStorage } from './external.ts';

/** What an {@link ObjectStorage} is made of. */
export interface ObjectStorageProps {
  /** The namespace that it runs in. */
  readonly namespace: Namespace;
  /** Reference of the image, which is built here: there is none that is published. */
  readonly image: string;
  /** User and group that it runs as. @default the platform's number for the object storage */
  readonly user?: number;
  /** Processor and memory. @default 0.02 core, 32Mi, at most 256Mi */
  readonly resources?: Resources;
  /** Size of its volume. @default 10Gi */
  readonly storage?: string;
  /** StorageClass of its volume. @default the cluster's */
  readonly storageClass?: string | undefined;
  /** Whether it has its Pod. @default true */
  readonly runs?: boolean;
  /** What one bucket of a project holds at most, in bytes and in objects. @default what the volume holds */
  readonly projectBuckets?: { readonly bytes: number; readonly objects: number };
}

/** User and group that it runs as. */
export const OBJECT_STORAGE_USER = 60609;
/** Processor and memory where the props say none: it has 15 MiB when nobody asks, and 41 MiB under load. */
export const OBJECT_STORAGE_RESOURCES: Resources = { cpu: '20m', memory: '32Mi', memoryLimit: '256Mi' };

const S3 = 7070;
const DATA = '/data';
const SECRETS = '/run/objects';
/** Of its memory, kept by its own collection of garbage. */
const HEAP = 0.8;

const ROTATED: RotationWay = { kind: 'overlap' };
const ROTATED_BY_NAME: RotationWay = {
  kind: 'overlap',
  ends: 'credentials and addresses of people for buckets of projects',
};

/**
 * One S3 storage on a volume. Each bucket that is asked for has an account that reaches it alone. Its name, and the beginning
 * of the names of its Secrets, is its id: two of them live side by side.
 * @example
 * const storage = new ObjectStorage(chart, 'object-storage', { namespace, image: 'registry.example/objects:1' });
 * const { endpoint, region, name, accessKey, secretKey, peer } = storage.bucket('reports');
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/Welcome.html
 */
export class ObjectStorage extends Construct implements BucketServer {
  /** Its Pods, Service and connections. */
  readonly workload: Workload;
  /** The secret of the access key `delos_admin`, which makes buckets and may do everything in them. */
  readonly adminSecret: SecretKey;
  /** The key that signs credentials for one bucket that end (core's `bucketCredential`). Who has it may issue any. */
  readonly signingKey: SecretKey;
  /** The same, for buckets of projects alone, which it lets one make and remove too (core's `bucketCredential`). */
  readonly projectsKey: SecretKey;
  readonly #namespace: Namespace;
  readonly #buckets = new Map<string, { readonly bucket: Bucket; readonly secret: Secret }>();

  constructor(scope: Construct, id: string, props: ObjectStorageProps) {
    super(scope, id);
    this.#namespace = props.namespace;
    const resources = props.resources ?? OBJECT_STORAGE_RESOURCES;
    const secretOf = (name: string, rotation = ROTATED): Secret =>
      new Secret(this, name, {
        namespace: props.namespace,
        name: `${id}-${name}`,
        sources: { secret: { kind: 'password', length: 48, rotation } },
      });
    const [admin, signing, projects] = [secretOf('admin'), secretOf('signing'), secretOf('projects', ROTATED_BY_NAME)];
    this.adminSecret = { secret: admin, key: 'secret' };
    this.signingKey = { secret: signing, key: 'secret' };
    this.projectsKey = { secret: projects, key: 'secret' };
    this.workload = new Workload(this, 'workload', {
      namespace: props.namespace,
      name: id,
      runs: { kind: 'stateful-set', replicas: props.runs === false ? 0 : 1 },
      image: props.image,
      user: props.user ?? OBJECT_STORAGE_USER,
      resources,
      rereadsSecrets: true,
      command: ['/bin/objects'],
      ports: { s3: S3, internal: PORTS.internal },
      podPorts: ['internal'],
      probes: OWN_PROBES,
      mounts: () => [
        claim('data', DATA, props.storage ?? '10Gi', props.storageClass),
        secretFiles(admin, `${SECRETS}/admin`, 'admin'),
        secretFiles(signing, `${SECRETS}/signing`, 'signing'),
        secretFiles(projects, `${SECRETS}/projects`, 'projects'),
        ...[...this.#buckets].map(([name, { secret }]) =>
          secretFiles(secret, `${SECRETS}/buckets/${name}`, `bucket-${name}`),
        ),
      ],
      env: () => [
        env('DELOS_OBJECTS_DATA', DATA),
        env('DELOS_OBJECTS_PORT', String(S3)),
        env('DELOS_OBJECTS_INTERNAL_PORT', String(PORTS.internal)),
        env('DELOS_OBJECTS_ADMIN_FILE', `${SECRETS}/admin/secret`),
        env('DELOS_OBJECTS_SIGNING_FILE', `${SECRETS}/signing/secret`),
        env('DELOS_OBJECTS_PROJECTS_FILE', `${SECRETS}/projects/secret`),
        ...(props.projectBuckets === undefined
          ? []
          : [
              env('DELOS_OBJECTS_BUCKET_BYTES', String(props.projectBuckets.bytes)),
              env('DELOS_OBJECTS_BUCKET_OBJECTS', String(props.projectBuckets.objects)),
            ]),
        env('DELOS_OBJECTS_BUCKETS', `${SECRETS}/buckets`),
        goMemoryLimit(resources, HEAP),
      ],
    });
  }

  /** Itself, for services of a platform's list. */
  get buckets(): BucketServer {
    return this;
  }

  /**
   * An S3 storage that is there already, with its buckets and the Secrets of their access keys.
   * @example
   * const storage = ObjectStorage.external({
   *   endpoint: 'https://s3.example.com',
   *   region: 'eu-central-1',
   *   peer: { kind: 'addresses', addresses: ['203.0.113.9'], ports: [443] },
   *   buckets: {
   *     reports: {
   *       name: 'our-reports',
   *       accessKey: 'AKIAEXAMPLE',
   *       secretKey: { secret: Secret.external({ namespace, name: 'our-storage' }), key: 'secret' },
   *     },
   *   },
   * });
   */
  static external(props: ExternalObjectStorageProps): BucketServer {
    return externalObjectStorage(props);
  }

  /** @throws DelosError ERR_INTERNAL for a name that it cannot have */
  bucket(name: string): Bucket {
    const known = this.#buckets.get(name);
    if (known !== undefined) return known.bucket;
    checkBucketName(name);
    const secret = new Secret(this, `bucket-${name}`, {
      namespace: this.#namespace,
      name: `${this.node.id}-bucket-${name}`,
      sources: { 'secret-key': { kind: 'password', length: 48, rotation: ROTATED } },
    });
    const bucket: Bucket = {
      endpoint: this.workload.url('s3'),
      region: OBJECT_REGION,
      name,
      accessKey: name,
      secretKey: { secret, key: 'secret-key' },
      peer: this.workload.peer('s3'),
      ready: [this.workload.object],
    };
    this.#buckets.set(name, { bucket, secret });
    this.workload.after(secret);
    return bucket;
  }
}
