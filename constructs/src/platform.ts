import { DelosError } from '@delos/core';
import { Chart } from 'cdk8s';
import type { Construct } from 'constructs';
import { setDnsAddresses } from './base/connections.ts';
import type { Database } from './base/database.ts';
import { NODE_NAMESPACE, PLATFORM_NAMESPACE } from './base/names.ts';
import { Namespace } from './base/namespace.ts';
import { priorityClasses } from './base/priority.ts';
import type { BuiltBy, ServiceConstruct, ServiceDescriptor, Site } from './base/service.ts';
import type { DelosConfig } from './config.ts';
import { wayIn } from './entrance.ts';
import { sectionOf } from './service-sections.ts';
import { gateway } from './services/gateway/index.ts';
import { postgres } from './services/postgres/index.ts';
import { SERVICES } from './services.ts';
import type { SynthesisContext } from './synthesis.ts';

export interface PlatformProps {
  readonly config: DelosConfig;
  readonly context: SynthesisContext;
  /** Reference of a catalogue image. */
  readonly image: (name: string) => string;
  /** @default all services of Delos */
  readonly services?: readonly ServiceDescriptor[];
}

/** The whole platform as one tree of constructs: the list of services, each built in turn and then connected. */
export class Platform extends Chart {
  readonly #services: Namespace;
  readonly #nodes: Namespace;
  readonly #built = new Map<string, ServiceConstruct>();

  constructor(scope: Construct, id: string, props: PlatformProps) {
    super(scope, id);
    setDnsAddresses(this, props.context.dnsAddresses ?? []);
    this.#services = new Namespace(this, PLATFORM_NAMESPACE);
    this.#nodes = new Namespace(this, NODE_NAMESPACE, { podSecurity: 'privileged' });
    const ground = [this.#services, this.#nodes, ...priorityClasses(this)];
    const services = props.services ?? SERVICES;
    for (const service of services) {
      const built = service.build(this, this.#site(service, props));
      built.node.addDependency(...ground);
      this.#built.set(service.name, built);
    }
    for (const service of services) {
      for (const route of service.routes ?? []) this.get(gateway).route(route, this.get(service).workload);
    }
  }

  /** The constructs of one of its services. @throws DelosError ERR_INTERNAL for one that it has not, or not yet */
  get<Built extends ServiceConstruct>({ name }: BuiltBy<Built>): Built {
    const built = this.#built.get(name);
    if (built !== undefined) return built as Built;
    throw new DelosError('ERR_INTERNAL', `service ${name} is not built yet: it stands further down in the list`);
  }

  /** The service that a construct is of, by its name; `platform` for what none has by itself. */
  partOf(path: string): string {
    const [name] = [...this.#built].find(([, { node }]) => path.startsWith(`${node.path}/`)) ?? [];
    return name ?? 'platform';
  }

  #site(service: ServiceDescriptor, { config, context, image }: PlatformProps): Site<unknown> {
    const get = <Built extends ServiceConstruct>(other: BuiltBy<Built>): Built => this.get(other);
    return {
      own: sectionOf(config, service),
      config,
      context,
      namespace: service.onNodes === true ? this.#nodes : this.#services,
      image: image(service.image),
      ...wayIn(config, context.entrance),
      userNamespaces: config.cluster.userNamespaces && (context.userNamespaces ?? false),
      get database(): Database {
        if (service.database !== undefined) return get(postgres).database(service.database);
        throw new DelosError('ERR_INTERNAL', `the descriptor of ${service.name} names no database`);
      },
      get,
    };
  }
}
