import { quantityOf, size } from '@delos/core';
import { Construct } from 'constructs';
import { z } from 'zod';
import { DNS } from '../../base/connections.ts';
import { claim, scratch } from '../../base/mount.ts';
import { PORTS } from '../../base/names.ts';
import { OWN_PROBES } from '../../base/probes.ts';
import { env } from '../../base/secret-folder.ts';
import type { ServiceDescriptor, Site } from '../../base/service.ts';
import { Workload } from '../../base/workload.ts';
import { controlApi } from '../control-api/index.ts';

const MIB = 2 ** 20;
const MAX_UPLOAD_BYTES = 512 * MIB;
/** Uploads that are taken at once (artifacts/images/devpi/delos_devpi/spool.py). */
const UPLOADS = 2;
/** Each of them lies there twice for a moment. */
const TMP = quantity(2 * UPLOADS * MAX_UPLOAD_BYTES + 64 * MIB);
const DATA = '/data';
const PATH = '/pypi';
const HTTP = 3141;

const section = z
  .strictObject({ storage: size.prefault('10Gi').describe('Size of its volume, when that is made') })
  .prefault({});
type Section = z.infer<typeof section>;

/** Python packages by project. It has no users and no secrets: who may do what, it asks the control API. */
export class Devpi extends Construct {
  readonly workload: Workload;

  constructor(scope: Construct, id: string, at: Site<Section>) {
    super(scope, id);
    const api = at.get(controlApi).workload;
    this.workload = new Workload(this, 'workload', {
      name: devpi.name,
      namespace: at.namespace,
      runs: { kind: 'stateful-set', replicas: 1 },
      image: at.image,
      user: devpi.user,
      resources: at.resources,
      command: python('serve'),
      before: [{ name: 'prepare', command: python('prepare') }],
      ports: { http: HTTP, internal: PORTS.internal },
      podPorts: ['internal'],
      probes: OWN_PROBES,
      mounts: () => [
        claim('data', DATA, quantity(at.own.storage), at.config.cluster.storageClass),
        scratch('tmp', '/tmp', TMP),
      ],
      env: () => [
        env('DELOS_API_URL', api.url('http')),
        env('DELOS_CLUSTER', at.config.cluster.name),
        env('DELOS_DEVPI_DATA', DATA),
        env('DELOS_DEVPI_PREFIX', PATH),
        env('DELOS_DEVPI_PORT', String(HTTP)),
        env('DELOS_DEVPI_INTERNAL_PORT', String(PORTS.internal)),
        env('DELOS_DEVPI_MAX_UPLOAD', String(MAX_UPLOAD_BYTES)),
      ],
    });
    this.workload.reach(api.peer('http'), DNS);
  }
}

/** A program of the image. */
const python = (program: string): readonly string[] => ['python3', '-m', `delos_devpi.${program}`];

/** The service that keeps Python packages. */
export const devpi: ServiceDescriptor<Section, Devpi> = {
  name: 'devpi',
  idea: 'DevPI: Python packages, an index for each project',
  image: 'devpi',
  config: section,
  user: 60607,
  resources: { cpu: '20m', memory: '64Mi', memoryLimit: '256Mi' },
  needs: [controlApi],
  diesWithNode: 'it runs once, on one volume',
  metrics: { port: 'internal' },
  alerts: [
    {
      name: 'PackageVolumeNearlyFull',
      severity: 'warning',
      expr: 'delos_devpi_volume_free_bytes / delos_devpi_volume_bytes < 0.15 or delos_devpi_volume_free_files / (delos_devpi_volume_files > 0) < 0.1',
      for: '10m',
      summary: 'The volume of DevPI is nearly full: soon no package can be uploaded',
    },
  ],
  panels: [
    {
      title: 'Space',
      unit: 'bytes',
      series: [
        { expr: 'delos_devpi_volume_bytes', legend: 'size' },
        { expr: 'delos_devpi_volume_free_bytes', legend: 'free' },
      ],
    },
  ],
  backup: { save: python('save'), claim: 'data', folder: 'server' },
  routes: [{ paths: [`${PATH}/*`], port: 'http', maxBodyBytes: MAX_UPLOAD_BYTES }],
  build: (scope, at) => new Devpi(scope, 'devpi', at),
};

function quantity(bytes: number): string {
  return String(quantityOf(bytes));
}
