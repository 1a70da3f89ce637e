import { DelosError, quantityOr0 } from '@delos/core';
import type { k8s } from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import { ConfigFiles } from '../../base/config-files.ts';
import type { Identity } from '../../base/identity.ts';
import { files, type Mount } from '../../base/mount.ts';
import { PORTS } from '../../base/names.ts';
import type { Namespace } from '../../base/namespace.ts';
import { allowedRegistriesEnv, ownWorkload, runs } from '../../base/own-service.ts';
import { Secret, type SecretKey } from '../../base/secret.ts';
import {
  cacheEnv,
  cacheSecrets,
  databaseEnv,
  databaseSecrets,
  env,
  fileOf,
  mounted,
} from '../../base/secret-folder.ts';
import type { Replicas } from '../../base/sections/replicas.ts';
import type { ServiceDescriptor, Site } from '../../base/service.ts';
import { bucketEnv, bucketSecrets } from '../../base/storage/bucket.ts';
import { volumeSource } from '../../base/storage/file-storage.ts';
import type { Workload } from '../../base/workload.ts';
import type { RotationWay } from '../../synthesis.ts';
import { ObjectStorage, objectStorage } from '../object-storage/index.ts';
import { postgres } from '../postgres/index.ts';
import { Postgres } from '../postgres/postgres.ts';
import type { AgentsEntrance } from './agents-entrance.ts';
import { IMAGE_REGISTRY, IMAGE_REGISTRY_PORT, ImageRegistry } from './image-registry.ts';
import { canonicalJson, platformSettings } from './platform-settings.ts';
import { ProviderSecrets } from './provider-secrets.ts';

const CONFIG_DIR = '/etc/delos';
const REALM_DIR = '/etc/delos-realm';

/** What somebody reads who keeps the realm: its settings, and the secrets that go into it. */
export interface RealmKeeping {
  readonly env: () => readonly k8s.EnvVar[];
  readonly mounts: () => readonly Mount[];
}

const AUDIT_KEPT: RotationWay = { kind: 'kept', why: 'earlier checkpoints are verified by its public half' };
const FIRST_PASSWORD_KEPT: RotationWay = { kind: 'kept', why: 'a person’s first password: they change it themselves' };

/** Where buckets of projects are, and the key to them. */
const bucketsEnv = ({ workload, projectsKey }: ObjectStorage): readonly k8s.EnvVar[] => [
  env('DELOS_BUCKETS_URL', workload.url('s3')),
  env('DELOS_BUCKETS_SIGNING_FILE', fileOf(projectsKey)),
];

/** The control API. Its `migrate` step makes the tables and keeps the realm, before it serves. */
export class ControlApi extends Construct implements AgentsEntrance {
  readonly workload: Workload;
  /** The agent signs in with it. */
  readonly agentToken: SecretKey;
  /** For the service that keeps the realm after `migrate` has made it. */
  readonly keeping: RealmKeeping;
  readonly #collectorToken: Secret;
  readonly #publicUrl: string;
  readonly #buckets: ObjectStorage | undefined;
  #search: Workload | undefined;
  #files: Workload | undefined;
  #jobsDomain: string | undefined;
  readonly #registry: ImageRegistry | undefined;

  constructor(
    scope: Construct,
    id: string,
    props: {
      readonly descriptor: ServiceDescriptor<Replicas, ControlApi>;
      readonly at: Site<Replicas>;
      /** Where people log in. */
      readonly identity: Identity;
    },
  ) {
    super(scope, id);
    const { descriptor, at, identity } = props;
    const { namespace, database, cache, bucket } = at;
    const secret = (name: string, sources: ConstructorParameters<typeof Secret>[2]['sources']): Secret =>
      new Secret(this, name, { namespace, sources });
    const agent = secret('agent-token', { token: { kind: 'password', length: 48, rotation: { kind: 'overlap' } } });
    const collector = secret('collector-token', {
      token: { kind: 'password', length: 48, rotation: { kind: 'overlap' } },
    });
    // What projects keep secret is encrypted with it; the database does not have it.
    const secretsKey = secret('secrets-key', {
      key: { kind: 'password', length: 48, rotation: { kind: 'overlap', before: 'rewrap' } },
    });
    const auditKey = secret('audit-key', { key: { kind: 'password', length: 48, rotation: AUDIT_KEPT } });
    const issuer = secret('token-issuer', { secret: { kind: 'password', length: 48, rotation: { kind: 'told' } } });
    const passwords = secret(
      'identity-passwords',
      Object.fromEntries(
        identity.realm.users.map(({ username }) => [
          username,
          { kind: 'password', length: 20, rotation: FIRST_PASSWORD_KEPT },
        ]),
      ),
    );
    this.agentToken = { secret: agent, key: 'token' };
    this.#collectorToken = collector;
    this.#publicUrl = at.publicUrl;
    // Projects have buckets in a storage of ours alone: another one's credentials are not ours to give.
    const storage = at.find(objectStorage);
    this.#buckets = storage instanceof ObjectStorage ? storage : undefined;
    // Of one of ours its volume is known.
    const server = at.find(postgres);
    if (at.services.some(({ name }) => name === IMAGE_REGISTRY)) {
      this.#registry = new ImageRegistry(this, IMAGE_REGISTRY, namespace);
    }
    // Read here alone: `migrate` writes it to the database, where the others learn of it.
    const config = new ConfigFiles(this, 'platform', {
      namespace,
      files: () => ({
        'platform.json': platformSettings(at.config),
      }),
    });
    // Apart, since it rolls the keeper of the realm too, which other settings are of no concern to.
    const realm = new ConfigFiles(this, 'realm', {
      namespace,
      files: () => ({ 'identity.json': canonicalJson(identity.realm) }),
    });
    const providers = new ProviderSecrets(this, { namespace, providers: at.config.identity });
    const authority = identity.authority === undefined ? [] : [identity.authority];
    // Of `migrate` and of the keeper alone: no secret that changes Keycloak is in what clients talk to.
    const keeper: RealmKeeping = {
      env: () => [
        env('DELOS_KEYCLOAK_CLIENT_SECRET_FILE', fileOf(identity.admin)),
        env('DELOS_IDENTITY_PASSWORDS', mounted(passwords).path),
        ...providers.env(),
      ],
      mounts: () => [...[identity.admin.secret, passwords].map(mounted), ...providers.mounts()],
    };
    const shared = (): readonly k8s.EnvVar[] => [
      ...authority.map((key) => env('NODE_EXTRA_CA_CERTS', fileOf(key))),
      env('DELOS_KEYCLOAK_URL', identity.internalUrl),
      env('DELOS_IDENTITY', `${REALM_DIR}/identity.json`),
      env('DELOS_IDENTITY_ISSUER', fileOf({ secret: issuer, key: 'secret' })),
    ];
    this.keeping = {
      env: () => [...shared(), ...keeper.env()],
      mounts: () => [
        files(realm, REALM_DIR),
        ...[...authority.map((key) => key.secret), issuer].map(mounted),
        ...keeper.mounts(),
      ],
    };
    this.workload = ownWorkload(this, descriptor, at, {
      runs: { kind: 'deployment', replicas: at.own.replicas },
      command: runs('api'),
      ports: { http: PORTS.http },
      before: [
        {
          name: 'migrate',
          command: runs('migrate'),
          env: keeper.env(),
          mounts: keeper.mounts,
        },
      ],
      mounts: () => [
        files(config, CONFIG_DIR),
        files(realm, REALM_DIR),
        ...(this.#registry === undefined ? [] : [this.#registry.builder()]),
        ...[
          ...databaseSecrets(database),
          ...(identity.authority === undefined ? [] : [identity.authority.secret]),
          agent,
          collector,
          issuer,
          secretsKey,
          auditKey,
          ...(cache === undefined ? [] : cacheSecrets(cache)),
          ...(bucket === undefined ? [] : bucketSecrets(bucket)),
          ...(this.#buckets === undefined ? [] : [this.#buckets.projectsKey.secret]),
          ...(this.#registry === undefined ? [] : [this.#registry.key.secret]),
        ].map(mounted),
      ],
      env: () => [
        ...databaseEnv(database),
        ...(server instanceof Postgres ? [env('DELOS_DATABASE_VOLUME_BYTES', String(quantityOr0(server.size)))] : []),
        ...(identity.authority === undefined ? [] : [env('NODE_EXTRA_CA_CERTS', fileOf(identity.authority))]),
        ...(cache === undefined ? [] : cacheEnv(cache)),
        ...(bucket === undefined ? [] : bucketEnv(bucket)),
        ...(this.#buckets === undefined ? [] : bucketsEnv(this.#buckets)),
        ...(this.#registry?.env() ?? []),
        ...(this.#search === undefined ? [] : [env('DELOS_LOG_SEARCH_URL', this.#search.url('http'))]),
        ...(this.#files === undefined ? [] : [env('DELOS_FILES_URL', this.#files.url('http'))]),
        ...(this.#files === undefined || volumeSource(at.config.storage) === undefined
          ? []
          : [env('DELOS_JOBS_MOUNT_FILES', 'true')]),
        ...(this.#jobsDomain === undefined ? [] : [env('DELOS_JOBS_DOMAIN', this.#jobsDomain)]),
        allowedRegistriesEnv(at, this.ownRegistries),
        env('DELOS_CONFIG', `${CONFIG_DIR}/platform.json`),
        env('DELOS_OIDC_ISSUER', identity.issuer),
        env('DELOS_OIDC_JWKS_URL', identity.jwksUrl),
        ...(at.logins.length === 0
          ? []
          : [env('DELOS_OIDC_LOGINS', at.logins.map(({ service }) => service).join(','))]),
        env('DELOS_KEYCLOAK_URL', identity.internalUrl),
        env('DELOS_IDENTITY', `${REALM_DIR}/identity.json`),
        env('DELOS_IDENTITY_ISSUER', fileOf({ secret: issuer, key: 'secret' })),
        env('DELOS_AGENT_TOKEN_FILE', fileOf(this.agentToken)),
        env('DELOS_COLLECTOR_TOKEN_FILE', fileOf({ secret: collector, key: 'token' })),
        env('DELOS_SECRETS_KEY_FILE', fileOf({ secret: secretsKey, key: 'key' })),
        env('DELOS_AUDIT_KEY_FILE', fileOf({ secret: auditKey, key: 'key' })),
      ],
    });
    this.workload.reach(database.peer, identity.peer);
    if (this.#registry !== undefined) this.workload.reach(this.#registry.peer);
    // Not waited for: it works without.
    if (cache !== undefined) this.workload.reach(cache.peer);
    // Not waited for either: PostgreSQL has the logs meanwhile.
    if (bucket !== undefined) this.workload.reach(bucket.peer);
    if (this.#buckets !== undefined) {
      this.workload.reach(this.#buckets.workload.peer('s3'));
      if (Construct.isConstruct(this.#buckets.projectsKey.secret))
        this.workload.after(this.#buckets.projectsKey.secret);
    }
    // A replica that has no agent asks the one that has.
    this.workload.reach(this.workload.peer('internal'));
    // Keycloak is waited for by `migrate`.
    this.workload.after(...database.ready);
  }

  /** Signs the tokens of the registry of images. @throws DelosError ERR_INTERNAL where the configuration asks for no registry */
  get registryKey(): SecretKey {
    if (this.#registry !== undefined) return this.#registry.key;
    throw new DelosError('ERR_INTERNAL', `the list has no service ${IMAGE_REGISTRY}`);
  }

  /** It asks this registry what images there are. */
  listsImagesOf(registry: Workload): void {
    registry.admit({ kind: 'endpoint', endpoint: this.workload, ports: [IMAGE_REGISTRY_PORT] });
  }

  /** Users search for lines of their jobs there. Not waited for: nothing else needs it. */
  searchesLogsIn(store: Workload): void {
    this.#search = store;
    this.workload.reach(store.peer('http'));
  }

  /** Files of projects are there. It makes folders that jobs mount. Not waited for: nothing else needs it. */
  hasFilesAt(files: Workload): void {
    this.#files = files;
    this.workload.reach(files.peer('http'));
  }

  /** Jobs have addresses one label below this domain, since something leads there. */
  namesJobsBelow(domain: string): void {
    this.#jobsDomain = domain;
  }

  /** `HOST[:PORT]` of the platform's own registry, as image names have it. Asked for when manifests are written. */
  get ownRegistries(): readonly string[] {
    return this.#registry === undefined ? [] : [new URL(this.#publicUrl).host];
  }

  /** Where it is, inside the cluster. */
  address(): readonly k8s.EnvVar[] {
    return [env('DELOS_API_URL', this.workload.url('internal'))];
  }

  /** Lets a workload reach it. */
  lead(workload: Workload): void {
    workload.reach(this.workload.peer('internal'));
  }

  /** The collectors' token, as a Secret of their own namespace. */
  collectorToken(scope: Construct, namespace: Namespace): SecretKey {
    const { name } = this.#collectorToken;
    const secret = new Secret(scope, 'token', {
      namespace,
      name,
      sources: { token: { kind: 'same-as', namespace: this.#collectorToken.namespace.name, ref: `${name}/token` } },
    });
    return { secret, key: 'token' };
  }
}
