import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { API_SERVER_PORT } from '@delos/core';
import { KubeClient } from '@delos/kube';
import { addressesOf } from './host/addresses.ts';
import { layoutOf, type NodeSpec } from './spec.ts';

const LIMIT_MS = 10_000;

/**
 * The API server of the embedded cluster, by client certificate.
 * @param certificate name of the certificate in the PKI folder
 */
export function openApi(spec: Pick<NodeSpec, 'state' | 'number'>, certificate: string): KubeClient {
  const { pki } = layoutOf(spec.state);
  const read = (file: string): Buffer => readFileSync(join(pki, file));
  const credentials = { ca: read('ca.crt'), cert: read(`${certificate}.crt`), key: read(`${certificate}.key`) };
  return new KubeClient(
    {
      server: `https://${addressesOf(spec.number).nodeIp}:${API_SERVER_PORT}`,
      namespace: 'default',
      credentials: () => credentials,
    },
    { fieldManager: 'delos', limitMs: LIMIT_MS },
  );
}
