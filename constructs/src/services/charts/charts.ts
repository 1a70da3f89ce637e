import { quantityOf } from '@delos/core';
import { Construct } from 'constructs';
import { DNS } from '../../base/connections.ts';
import { claim } from '../../base/mount.ts';
import { PORTS } from '../../base/names.ts';
import { OWN_PROBES } from '../../base/probes.ts';
import { env } from '../../base/secret-folder.ts';
import { goMemoryLimit } from '../../base/sections/resources-section.ts';
import type { ServiceDescriptor, Site } from '../../base/service.ts';
import { Workload } from '../../base/workload.ts';
import { controlApi } from '../control-api/index.ts';
import type { ChartsSection } from './section.ts';

/** Where its volume is mounted. */
export const DATA = '/charts';
/** Path of the platform that it is at. */
export const PATH = '/charts';
/** Port of clients. */
export const HTTP = PORTS.http;

/**
 * Charts of Helm by project. It has no users and no secrets: who may do what, it asks the control API with the caller's own token.
 */
export class Charts extends Construct {
  readonly workload: Workload;

  constructor(
    scope: Construct,
    id: string,
    {
      descriptor,
      at,
    }: { readonly descriptor: ServiceDescriptor<ChartsSection, Charts>; readonly at: Site<ChartsSection> },
  ) {
    super(scope, id);
    const api = at.get(controlApi).workload;
    this.workload = new Workload(this, 'workload', {
      name: descriptor.name,
      namespace: at.namespace,
      // What it keeps in memory is right as long as it alone writes.
      runs: { kind: 'stateful-set', replicas: 1 },
      image: at.image,
      user: descriptor.user,
      resources: at.resources,
      command: ['/bin/depot', 'projects'],
      ports: { http: HTTP, internal: PORTS.internal },
      podPorts: ['internal'],
      probes: OWN_PROBES,
      mounts: () => [claim('data', DATA, String(quantityOf(at.own.storage)), at.config.cluster.storageClass)],
      env: () => [
        env('DELOS_API_URL', api.url('http')),
        env('DELOS_CLUSTER', at.config.cluster.name),
        env('DELOS_CHARTS_DATA', DATA),
        env('DELOS_CHARTS_PREFIX', PATH),
        env('DELOS_CHARTS_PROJECT_LIMIT', String(at.own.projectLimit ?? 0)),
        env('DELOS_PORT', String(HTTP)),
        env('DELOS_INTERNAL_PORT', String(PORTS.internal)),
        goMemoryLimit(at.resources),
      ],
    });
    this.workload.reach(api.peer('http'), DNS);
  }
}
