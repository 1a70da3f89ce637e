import { DelosError, fileStorageKind, INSTALLED_CONFIG_MAP, RELEASE } from '@delos/core';
import { Chart } from 'cdk8s';
import { k8s } from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import { awaited } from './awaited.ts';
import type { CacheUser } from './base/cache.ts';
import { setDnsAddresses } from './base/connections.ts';
import type { Database } from './base/database.ts';
import { NODE_NAMESPACE, PART_OF, PLATFORM_NAMESPACE } from './base/names.ts';
import { Namespace } from './base/namespace.ts';
import { type Authorities, authoritiesOf } from './base/outward/authorities.ts';
import { leadOut } from './base/outward/way-out.ts';
import { setPlacement } from './base/placement.ts';
import { priorityClasses } from './base/priority.ts';
import type { Route, RouteTarget } from './base/route.ts';
import type { BuiltBy, ServiceConstruct, ServiceDescriptor, ServiceLogin, Site } from './base/service.ts';
import type { Bucket } from './base/storage/bucket.ts';
import { FileStorage, withFileStorage } from './base/storage/file-storage.ts';
import type { DelosConfig } from './delos-config.ts';
import { type WayIn, wayIn } from './entrance.ts';
import { PLACEMENTS } from './profiles.ts';
import { servicesOf } from './service-list.ts';
import { resourcesFor, sectionOf } from './service-sections.ts';
import { egress } from './services/egress/index.ts';
import { gateway } from './services/gateway/index.ts';
import { postgres } from './services/postgres/index.ts';
import { prometheus } from './services/prometheus/index.ts';
import { SERVICES } from './services.ts';
import { StorageClasses } from './storage-classes/index.ts';
import type { SynthesisContext } from './synthesis-context.ts';

/** What a {@link Platform} is made of. */
export interface PlatformProps {
  /** The whole of delos.yaml, defaults filled in. */
  readonly config: DelosConfig;
  /** The cluster, as far as manifests depend on it. `engineContext` has one for each engine. */
  readonly context: SynthesisContext;
  /**
   * Reference of a catalogue image, or of what a service of your own names.
   * @default that of `context.images`; a name with a slash is a reference already
   */
  readonly image?: (name: string) => string;
  /**
   * Each is built after those before it, whose constructs it can ask for. What the configuration leaves out, or has already,
   * is not built. @default all services of Delos
   */
  readonly services?: readonly ServiceDescriptor[];
}

/**
 * The whole platform as one tree of constructs: the list of services, each built in turn and then connected. More of your
 * own can be put into it.
 * @example
 * const config = delosConfig.parse({ domain: 'ai.example.com' });
 * const platform = new Platform(app, 'platform', { config, context: engineContext(config, 'existing') });
 * const reports = platform.get(postgres).database('reports');
 */
export class Platform extends Chart {
  /** The namespace of its services. */
  readonly services: Namespace;
  /** The namespace of services that read the disk of nodes. */
  readonly nodes: Namespace;
  /** Where users reach it, and how the gateway is reached from outside. */
  readonly wayIn: WayIn;
  readonly #built = new Map<string, ServiceConstruct>();
  readonly #listed: readonly string[];
  readonly #asked: readonly ServiceDescriptor[];
  readonly #logins: readonly ServiceLogin[];
  readonly #authorities: Authorities | undefined;
  readonly #files: FileStorage | undefined;

  constructor(scope: Construct, id: string, given: PlatformProps) {
    super(scope, id);
    const props = { ...given, config: withFileStorage(given.config, given.context.fileFolder) };
    const services = present(props);
    this.#listed = services.map(({ name }) => name);
    // Also of those that are still to come: a realm that changed later would roll its keepers.
    this.#asked = servicesOf(props.config, props.services ?? SERVICES);
    this.#logins = this.#asked.flatMap(({ name, login }) => (login === undefined ? [] : [{ service: name, ...login }]));
    const twice = this.#listed.find((name, index) => this.#listed.indexOf(name) !== index);
    if (twice !== undefined) throw new DelosError('ERR_INTERNAL', `the list has two services of the name ${twice}`);
    this.wayIn = wayIn(props.config, props.context.entrance);
    setDnsAddresses(this, props.context.dnsAddresses ?? []);
    setPlacement(this, PLACEMENTS[props.config.profile]);
    this.services = new Namespace(this, PLATFORM_NAMESPACE);
    this.nodes = new Namespace(this, NODE_NAMESPACE, { podSecurity: 'privileged' });
    this.#authorities = authoritiesOf(this, this.services, props.config);
    const classes = new StorageClasses(this, 'storage-classes', props.config.storageClasses);
    const ground = [this.services, this.nodes, classes, ...priorityClasses(this)];
    // Also where no service is there yet: a restore fills it before.
    if (fileStorageKind(props.config.storage) !== undefined) {
      this.#files = new FileStorage(this, 'file-storage', { namespace: this.services, storage: props.config.storage });
      this.#files.node.addDependency(...ground);
    }
    for (const service of services) {
      const built = service.build(this, this.#site(service, props));
      if (Construct.isConstruct(built)) built.node.addDependency(...ground);
      this.#built.set(service.name, built);
    }
    // In the order of the list, so that the gateway is told the same when a late one has come.
    for (const service of this.#asked) {
      if (this.#built.has(service.name)) this.#connect(service);
      else this.#announce(service);
    }
    if (services.length > 0) this.#record();
  }

  /** Says which release is installed, once all of it is there and ready. */
  #record(): void {
    const installed = new k8s.KubeConfigMap(this, INSTALLED_CONFIG_MAP, {
      metadata: { name: INSTALLED_CONFIG_MAP, namespace: this.services.name, labels: { ...PART_OF } },
      data: { version: RELEASE },
    });
    installed.node.addDependency(this.services, ...[...this.#built.values()].filter(Construct.isConstruct));
  }

  /** Leads the gateway to a service, and Prometheus: where these are in the list. */
  #connect(service: ServiceDescriptor): void {
    const { name, routes = [], metrics } = service;
    this.#leadOut(service);
    if (this.#built.has(gateway.name)) {
      for (const route of routes) this.#route(route, this.#workload(name, 'a route'));
    }
    if (!this.#built.has(prometheus.name)) return;
    const watched = this.get(prometheus);
    watched.rules(service);
    if (metrics !== undefined) watched.scrape(metrics, this.#workload(name, 'metrics'));
  }

  /** Leads the gateway to a service that is still to come. */
  #announce({ name, routes = [], ports = {} }: ServiceDescriptor): void {
    if (!this.#built.has(gateway.name)) return;
    for (const route of routes) this.#route(route, awaited(name, this.services, ports));
  }

  #route(route: Route, to: RouteTarget): void {
    const asked = route.asks === undefined ? [] : [this.#workload(route.asks.service, 'to be asked first')];
    this.get(gateway).route(route, to, ...asked);
  }

  #leadOut({ name, dialsOut }: ServiceDescriptor): void {
    const workload = this.#built.get(name)?.workload;
    if (dialsOut === undefined || workload === undefined) return;
    const proxy = this.#built.has(egress.name) ? this.get(egress).proxy : undefined;
    leadOut(workload, dialsOut, { proxy, authorities: this.#authorities });
  }

  /** The constructs of one of its services. @throws DelosError ERR_INTERNAL for one that it has not, or not yet */
  get<Built extends ServiceConstruct>({ name }: BuiltBy<Built>): Built {
    const built = this.#built.get(name);
    if (built !== undefined) return built as Built;
    if (this.#listed.includes(name)) {
      throw new DelosError('ERR_INTERNAL', `service ${name} is not built yet: it stands further down in the list`);
    }
    throw new DelosError('ERR_INTERNAL', `service ${name} is needed and is not in the list of services`, {
      hint: `put it into the list, or what takes its place: replaced(SERVICES, ${name}, () => …)`,
    });
  }

  /** The service that a construct is of, by its name; `platform` for what none has by itself. */
  partOf(path: string): string {
    for (const [name, built] of this.#built) {
      if (Construct.isConstruct(built) && path.startsWith(`${built.node.path}/`)) return name;
    }
    return 'platform';
  }

  #workload(name: string, what: string): NonNullable<ServiceConstruct['workload']> {
    const workload = this.#built.get(name)?.workload;
    if (workload !== undefined) return workload;
    throw new DelosError('ERR_INTERNAL', `service ${name} has ${what} and no workload that could answer`);
  }

  #cacheUser({ name, cache: access }: ServiceDescriptor): CacheUser | undefined {
    if (access === undefined) return undefined;
    const server = [...this.#built.values()].find(({ cache }) => cache !== undefined)?.cache;
    return server?.user(name, access);
  }

  #bucket({ bucket, bucketOptional }: ServiceDescriptor): Bucket | undefined {
    if (bucket === undefined) return undefined;
    const server = [...this.#built.values()].find(({ buckets }) => buckets !== undefined)?.buckets;
    return bucketOptional === true && server?.has?.(bucket) === false ? undefined : server?.bucket(bucket);
  }

  #site(service: ServiceDescriptor, props: PlatformProps): Site<unknown> {
    const { config, context } = props;
    const cacheUser = (): CacheUser | undefined => this.#cacheUser(service);
    const bucket = (): Bucket | undefined => this.#bucket(service);
    const awaited = isAwaited(service, context, props.image);
    const get = <Built extends ServiceConstruct>(other: BuiltBy<Built>): Built => this.get(other);
    return {
      own: sectionOf(config, service),
      config,
      context,
      namespace: service.onNodes === true ? this.nodes : this.services,
      image: awaited ? `${service.image}:awaited` : (props.image ?? imageOf(context))(service.image),
      awaited,
      resources: resourcesFor(config, service),
      ...this.wayIn,
      services: this.#asked,
      logins: this.#logins,
      fileStorage: this.#files,
      authorities: this.#authorities,
      userNamespaces: config.cluster.userNamespaces && (context.userNamespaces ?? false),
      get database(): Database {
        if (service.database !== undefined) return get(postgres).database(service.database);
        throw new DelosError('ERR_INTERNAL', `the descriptor of ${service.name} names no database`);
      },
      get cache(): CacheUser | undefined {
        return cacheUser();
      },
      get bucket(): Bucket | undefined {
        return bucket();
      },
      get,
      find: <Built extends ServiceConstruct>({ name }: BuiltBy<Built>) => this.#built.get(name) as Built | undefined,
    };
  }
}

/** Services of the list that the configuration asks for, less those whose image may still come and is not there. */
const present = ({ services = SERVICES, config, context, image }: PlatformProps): readonly ServiceDescriptor[] =>
  servicesOf(config, services).filter((service) => service.keepsPlace === true || !isAwaited(service, context, image));

/** Whether it is late, and its image is not there yet. */
const isAwaited = (
  { late, image: name }: ServiceDescriptor,
  { images }: SynthesisContext,
  image: PlatformProps['image'],
): boolean => late === true && image === undefined && !Object.hasOwn(images, name);

const imageOf =
  ({ images }: SynthesisContext) =>
  (name: string): string => {
    const reference = Object.hasOwn(images, name) ? images[name] : undefined;
    if (reference !== undefined) return reference;
    if (name.includes('/')) return name;
    throw new DelosError('ERR_IMAGE_UNKNOWN', `no reference for image ${name} was given`);
  };
