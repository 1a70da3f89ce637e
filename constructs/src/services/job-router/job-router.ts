import { DelosError, JOB_HOSTS_PATH, JOB_LOGIN_PATH, jobsDomain } from '@delos/core';
import { Construct } from 'constructs';
import { DNS } from '../../base/connections.ts';
import { PORTS } from '../../base/names.ts';
import { OWN_PROBES } from '../../base/probes.ts';
import { Secret } from '../../base/secret.ts';
import { env, fileOf, mounted } from '../../base/secret-folder.ts';
import type { Replicas } from '../../base/sections/replicas.ts';
import { goMemoryLimit } from '../../base/sections/resources-section.ts';
import type { ServiceDescriptor, Site } from '../../base/service.ts';
import { Workload } from '../../base/workload.ts';
import { controlApi } from '../control-api/index.ts';
import { keycloak } from '../keycloak/index.ts';

/** Where the gateway hands connections of HTTP/2 over. */
const HTTP2_PORT = 8082;

/**
 * Leads the addresses of jobs to their Pods. It has no token of Kubernetes and none of the platform: which Pod an address leads
 * to it asks the control API, and whether a visitor may see it, with the visitor's own token. Its one secret seals the cookies that it
 * gives to browsers.
 */
export class JobRouter extends Construct {
  readonly workload: Workload;

  constructor(
    scope: Construct,
    id: string,
    props: { readonly descriptor: ServiceDescriptor<Replicas, JobRouter>; readonly at: Site<Replicas> },
  ) {
    super(scope, id);
    const { descriptor, at } = props;
    const { namespace, resources, publicUrl } = at;
    const { name } = descriptor;
    const domain = jobsDomain(at.config.domain);
    if (domain === undefined) throw new DelosError('ERR_INTERNAL', `jobs have no names below ${at.config.domain}`);
    const api = at.get(controlApi);
    const identity = at.get(keycloak);
    const seal = new Secret(this, 'seal', {
      namespace,
      name,
      sources: { key: { kind: 'password', length: 48, rotation: { kind: 'overlap' } } },
    });
    this.workload = new Workload(this, 'workload', {
      namespace,
      name,
      runs: { kind: 'deployment', replicas: at.own.replicas },
      image: at.image,
      user: descriptor.user,
      userNamespace: at.userNamespaces,
      resources,
      rereadsSecrets: true,
      command: ['/bin/job-router'],
      ports: { http: PORTS.http, http2: HTTP2_PORT, internal: PORTS.internal },
      probes: OWN_PROBES,
      mounts: () => [mounted(seal), ...(identity.authority === undefined ? [] : [mounted(identity.authority.secret)])],
      env: () => [
        env('DELOS_PORT', String(PORTS.http)),
        env('DELOS_HTTP2_PORT', String(HTTP2_PORT)),
        env('DELOS_INTERNAL_PORT', String(PORTS.internal)),
        env('DELOS_PUBLIC_URL', publicUrl),
        env('DELOS_JOBS_DOMAIN', domain),
        env('DELOS_API_URL', `${api.workload.url('http')}${JOB_HOSTS_PATH}`),
        env('DELOS_OIDC_ISSUER', identity.issuer),
        env('DELOS_REALM_URL', `${identity.internalUrl}/realms/${identity.realm.realm}`),
        env('DELOS_OIDC_CLIENT', name),
        env('DELOS_LOGIN_PATH', JOB_LOGIN_PATH),
        env('DELOS_SEAL_KEY_FILE', fileOf({ secret: seal, key: 'key' })),
        ...(identity.authority === undefined ? [] : [env('SSL_CERT_FILE', fileOf(identity.authority))]),
        goMemoryLimit(resources),
      ],
    });
    this.workload.reach(DNS, api.workload.peer('http'), identity.peer, { kind: 'jobs' });
    api.namesJobsBelow(domain);
  }
}
