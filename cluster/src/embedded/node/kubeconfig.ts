import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';

export interface KubeconfigOptions {
  readonly cluster: string;
  readonly user: string;
  readonly server: string;
  readonly pki: string;
  /** Name of the client certificate in the PKI folder. */
  readonly certificate: string;
}

/** A kubeconfig that carries its certificates, so that it may be copied elsewhere. Keep it at mode 0600. */
export function renderKubeconfig(options: KubeconfigOptions): string {
  const base64 = (file: string) => readFileSync(join(options.pki, file)).toString('base64');
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      { name: options.cluster, cluster: { server: options.server, 'certificate-authority-data': base64('ca.crt') } },
    ],
    users: [
      {
        name: options.user,
        user: {
          'client-certificate-data': base64(`${options.certificate}.crt`),
          'client-key-data': base64(`${options.certificate}.key`),
        },
      },
    ],
    contexts: [{ name: options.cluster, context: { cluster: options.cluster, user: options.user } }],
    'current-context': options.cluster,
  });
}
