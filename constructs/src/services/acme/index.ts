import { ACME_SECRET, entranceNames } from '@delos/core';
import { k8s } from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import { z } from 'zod';
import { secretKeyOf } from '../../base/external/secret-reference.ts';
import { claim } from '../../base/mount.ts';
import { labelsOf } from '../../base/names.ts';
import { ownWorkload, runs } from '../../base/own-service.ts';
import { Secret } from '../../base/secret.ts';
import { env, fileOf, mounted } from '../../base/secret-folder.ts';
import type { ServiceDescriptor, Site } from '../../base/service.ts';
import type { Workload } from '../../base/workload.ts';
import { portOfUrl } from '../../url-port.ts';

const STATE = '/data';
const RBAC = 'rbac.authorization.k8s.io';

/** Has the gateway's certificate by ACME, and writes it to the one Secret that gateways take it from. */
export class Acme extends Construct {
  readonly workload: Workload;

  constructor(scope: Construct, id: string, at: Site<unknown>) {
    super(scope, id);
    const { namespace, config, context, image, resources, publicUrl } = at;
    const acmeConfig = config.gateway.tls?.acme;
    const { update } = config.dns;
    // Without both delos.yaml is refused.
    const { server = '', port = 53, zone = '', key } = update ?? {};
    const tsig = key === undefined ? undefined : secretKeyOf(this, 'acme-dns-key', namespace, key.secret);
    // Filled in by the service itself. It is made here, so that no right to make Secrets is needed.
    const certificate = new Secret(this, 'certificate', { namespace, name: ACME_SECRET, sources: {} });
    const metadata = { name: acme.name, namespace: namespace.name, labels: { ...labelsOf(acme.name) } };
    const role = new k8s.KubeRole(this, 'role', {
      metadata,
      rules: [{ apiGroups: [''], resources: ['secrets'], resourceNames: [ACME_SECRET], verbs: ['patch'] }],
    });
    const binding = new k8s.KubeRoleBinding(this, 'binding', {
      metadata,
      roleRef: { apiGroup: RBAC, kind: 'Role', name: acme.name },
      subjects: [{ kind: 'ServiceAccount', name: acme.name, namespace: namespace.name }],
    });
    for (const object of [role, binding]) object.node.addDependency(namespace);
    // What lies on a volume belongs to its user as the node knows it.
    const place = { namespace, config, image, resources, publicUrl, userNamespaces: false };
    this.workload = ownWorkload(this, acme, place, {
      runs: { kind: 'stateful-set', replicas: 1 },
      command: runs('acme'),
      kubernetesToken: true,
      mounts: () => [
        claim('data', STATE, '64Mi', config.cluster.storageClass),
        ...(tsig === undefined ? [] : [mounted(tsig.secret)]),
      ],
      env: () => [
        env('DELOS_ACME_DIRECTORY', acmeConfig?.directory ?? ''),
        ...(acmeConfig?.email === undefined ? [] : [env('DELOS_ACME_EMAIL', acmeConfig.email)]),
        env('DELOS_ACME_TERMS', String(acmeConfig?.acceptTerms ?? false)),
        env('DELOS_ACME_NAMES', entranceNames(config.domain).join(',')),
        env('DELOS_ACME_STATE', STATE),
        env('DELOS_ACME_WAIT_SECONDS', String(acmeConfig?.waitSeconds ?? 0)),
        env('DELOS_DNS_SERVER', server),
        env('DELOS_DNS_PORT', String(port)),
        env('DELOS_DNS_ZONE', zone),
        env('DELOS_DNS_KEY_NAME', key?.name ?? ''),
        env('DELOS_DNS_KEY_ALGORITHM', key?.algorithm ?? ''),
        ...(tsig === undefined ? [] : [env('DELOS_DNS_KEY_FILE', fileOf(tsig))]),
        env('POD_NAMESPACE', namespace.name),
      ],
    });
    const { addresses, port: apiPort } = context.apiServer;
    this.workload.reach({ kind: 'addresses', addresses, ports: [apiPort] });
    const outside = [...new Set([port, portOfUrl(acmeConfig?.directory ?? 'https://localhost')])];
    this.workload.reach({ kind: 'anyone', ports: outside.sort((a, b) => a - b) });
    this.workload.after(certificate, role, binding);
  }
}

/** The service that has the gateway's certificate by ACME. */
export const acme: ServiceDescriptor<Readonly<Record<string, never>>, Acme> = {
  name: 'acme',
  idea: 'the keeper of the certificate: has it by ACME, and renews it',
  image: 'runtime',
  config: z.strictObject({}).prefault({}),
  user: 60613,
  resources: { cpu: '10m', memory: '64Mi', memoryLimit: '256Mi' },
  wanted: ({ gateway }) => gateway.tls?.acme !== undefined,
  dialsOut: { trustedBy: 'NODE_EXTRA_CA_CERTS' },
  metrics: { port: 'internal' },
  alerts: [
    {
      name: 'AcmeFails',
      severity: 'warning',
      expr: 'max by (job) (delos_acme_failing) > 0',
      for: '2h',
      summary: 'No certificate was had by ACME for two hours, though one is due',
    },
  ],
  panels: [
    {
      title: 'Attempts to have a certificate by ACME that failed',
      unit: 'per-second',
      series: [{ expr: 'sum by (job) (rate(delos_acme_failures_total[5m]))', legend: '{{job}}' }],
      emptyUnless: 'the certificate comes by ACME',
    },
  ],
  // Its account and its certificate: without them the server may refuse another order for a week.
  backup: { save: ['tar', '-C', STATE, '-cf', '-', '.'], claim: 'data', folder: '.' },
  build: (scope, at) => new Acme(scope, 'acme', at),
};
