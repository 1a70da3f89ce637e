import type { PlatformConfig } from '@delos/core';
import { Chart } from 'cdk8s';
import type { Construct } from 'constructs';
import { ControlPlane } from './control-plane.ts';
import { Gateway } from './gateway.ts';
import { identityOf } from './identity.ts';
import { Keycloak } from './keycloak.ts';
import { NODE_NAMESPACE, PLATFORM_NAMESPACE } from './names.ts';
import { denyAll, namespaces } from './network.ts';
import { Postgres } from './postgres.ts';
import { priorityClasses } from './priority.ts';
import { plainHttp } from './public-url.ts';
import type { SynthesisContext } from './synthesis.ts';

export interface PlatformProps {
  readonly config: PlatformConfig;
  readonly context: SynthesisContext;
  /** Reference of a catalogue image. */
  readonly image: (name: string) => string;
}

/** The whole platform as one tree of constructs. */
export class Platform extends Chart {
  constructor(scope: Construct, id: string, props: PlatformProps) {
    super(scope, id);
    const { config, context, image } = props;
    const { publicUrl } = context;
    const spaces = namespaces(this);
    // Closed before the first Pod: what is open is said part by part.
    const denials = [PLATFORM_NAMESPACE, NODE_NAMESPACE].map((name) => denyAll(this, `default-deny-${name}`, name));
    for (const denial of denials) denial.addDependency(...spaces);
    const ground = [...denials, ...priorityClasses(this)];

    const postgres = new Postgres(this, 'postgres', {
      image: image('postgres'),
      databases: ['delos', 'keycloak'],
      clients: ['control-api', 'scheduler', 'keycloak'],
      storageClass: config.cluster.storageClass,
    });
    const userNamespaces = context.userNamespaces ?? false;
    const keycloak = new Keycloak(this, 'keycloak', { image: image('keycloak'), publicUrl, userNamespaces });
    const controlPlane = new ControlPlane(this, 'control-plane', {
      config,
      identity: identityOf(config, publicUrl),
      image: image('runtime'),
      publicUrl,
      apiServer: context.apiServer,
      standIns: context.standIns ?? [],
      userNamespaces,
      database: postgres,
    });
    const gateway = new Gateway(this, 'gateway', {
      image: image('caddy'),
      replicas: config.services.gateway.replicas,
      publicUrl,
      domain: config.domain,
      http: plainHttp(config),
      exposure: context.exposure,
      userNamespaces,
      httpPort: config.gateway.httpPort || 80,
      httpsPort: config.gateway.httpsPort || 443,
    });
    for (const part of [postgres, keycloak, controlPlane, gateway]) part.node.addDependency(...ground);
  }
}
