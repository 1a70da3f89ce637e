import { quantityOr0 } from '@delos/core';
import type { k8s } from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import type { CacheAccess, CacheServer, CacheUser } from '../../base/cache.ts';
import { ConfigFiles } from '../../base/config-files.ts';
import { files, scratch, secretFiles } from '../../base/mount.ts';
import { labelsOf } from '../../base/names.ts';
import type { Namespace } from '../../base/namespace.ts';
import type { Resources } from '../../base/pod.ts';
import { Secret } from '../../base/secret.ts';
import { Workload } from '../../base/workload.ts';
import { upstreamImage } from '../../upstream-image.ts';
import { accessLine } from './access-list.ts';
import { type ExternalRedisProps, externalRedis } from './external.ts';
import { CONFIG, PING, START, settings } from './files.ts';

/** What a {@link Redis} is made of. */
export interface RedisProps {
  /** The namespace that it runs in. */
  readonly namespace: Namespace;
  /** Reference of the image, of Valkey or Redis. @default the published Valkey of this release */
  readonly image?: string;
  /** User and group that it runs as. @default the platform's number for Redis */
  readonly user?: number;
  /** Processor and memory. Two thirds of the limit are for values. @default 0.02 core, 64Mi, at most 96Mi */
  readonly resources?: Resources;
  /** Whether the nodes have user namespaces for Pods. @default false */
  readonly userNamespaces?: boolean;
}

const PORT = 6379;

/** User and group that it runs as. */
export const REDIS_USER = 60608;
/** Processor and memory where the props say none. */
export const REDIS_RESOURCES: Resources = { cpu: '20m', memory: '64Mi', memoryLimit: '96Mi' };

/**
 * One Redis as a cache: no volume, the least used values go first when it is full, and a user for each client with only
 * the commands and keys that it named. Its name, and the beginning of the names of its Secrets, is its id: two of them
 * live side by side.
 * @example
 * const redis = new Redis(chart, 'redis', { namespace });
 * const access = { commands: ['get', 'set', 'incr'], keys: ['sessions:*'] };
 * const { host, port, user, password, peer } = redis.user('reports', access);
 * @see https://valkey.io/topics/acl/
 */
export class Redis extends Construct implements CacheServer {
  /** Its Pods, Service and connections. */
  readonly workload: Workload;
  readonly #namespace: Namespace;
  readonly #users = new Map<string, { readonly line: string; readonly user: CacheUser; readonly secret: Secret }>();

  constructor(scope: Construct, id: string, props: RedisProps) {
    super(scope, id);
    this.#namespace = props.namespace;
    const resources = props.resources ?? REDIS_RESOURCES;
    const config = new ConfigFiles(this, 'config', {
      namespace: props.namespace,
      name: id,
      labels: labelsOf(id),
      files: () => ({
        'start.sh': START,
        'ping.sh': PING,
        'redis.conf': settings(Math.floor((quantityOr0(resources.memoryLimit) * 2) / 3)),
        users: this.#lines(),
      }),
    });
    const alive: k8s.Probe = {
      exec: { command: ['/bin/sh', `${CONFIG}/ping.sh`] },
      periodSeconds: 10,
      timeoutSeconds: 5,
      failureThreshold: 3,
    };
    this.workload = new Workload(this, 'workload', {
      namespace: props.namespace,
      name: id,
      runs: { kind: 'deployment', replicas: 1 },
      image: props.image ?? upstreamImage('redis'),
      user: props.user ?? REDIS_USER,
      userNamespace: props.userNamespaces ?? false,
      resources,
      command: ['/bin/sh', `${CONFIG}/start.sh`],
      ports: { redis: PORT },
      mounts: () => [
        files(config, CONFIG, { name: 'config' }),
        scratch('run', '/run/redis', '1Mi', 'memory'),
        ...[...this.#users].map(([name, { secret }]) =>
          secretFiles(secret, `/run/passwords/${name}`, `password-${name}`),
        ),
      ],
      probes: {
        startupProbe: { ...alive, periodSeconds: 1, failureThreshold: 60 },
        readinessProbe: alive,
        livenessProbe: alive,
      },
    });
  }

  /** Itself, for services of a platform's list. */
  get cache(): CacheServer {
    return this;
  }

  /**
   * A Redis or Valkey that is there already, with its users and the Secrets with their passwords.
   * @example
   * const redis = Redis.external({
   *   host: 'cache.example.com',
   *   peer: { kind: 'addresses', addresses: ['203.0.113.9'], ports: [6380] },
   *   port: 6380,
   *   tls: {},
   *   users: {
   *     'control-api': { password: { secret: Secret.external({ namespace, name: 'our-cache' }), key: 'password' } },
   *   },
   * });
   */
  static external(props: ExternalRedisProps): CacheServer {
    return externalRedis(props);
  }

  /** @throws DelosError ERR_INTERNAL for a name, command or beginning of keys that it cannot have, and for a second access */
  user(name: string, access: CacheAccess): CacheUser {
    const line = accessLine(name, access);
    const known = this.#users.get(name);
    if (known !== undefined) {
      if (known.line === line) return known.user;
      throw new Error(`${this.node.path} has the user ${name} with other rights: ${known.line}; asked for: ${line}`);
    }
    const secret = new Secret(this, `secret-${name}`, {
      namespace: this.#namespace,
      name: `${this.node.id}-${name}`,
      sources: { password: { kind: 'password', length: 48, rotation: { kind: 'overlap' } } },
    });
    const user: CacheUser = {
      host: this.workload.host,
      port: PORT,
      user: name,
      password: { secret, key: 'password' },
      peer: this.workload.peer('redis'),
    };
    this.#users.set(name, { line, user, secret });
    this.workload.after(secret);
    return user;
  }

  #lines(): string {
    const lines = [...this.#users.values()].map(({ line }) => `${line}\n`);
    return lines.sort().join('');
  }
}
