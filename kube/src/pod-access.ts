import { readFile } from 'node:fs/promises';
import { DelosError } from '@delos/core';
import type { KubeAccess } from './access.ts';

const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';
const TOKEN_MS = 60_000;

/**
 * The Pod's own service account.
 * @param folder where Kubernetes mounts it
 * @throws DelosError ERR_CONFIG_NOT_FOUND outside a Pod, or in one without a token
 */
export async function podAccess(
  env: Readonly<Record<string, string | undefined>>,
  folder: string = ACCOUNT,
): Promise<KubeAccess> {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = env;
  if (host === undefined || port === undefined) {
    throw new DelosError('ERR_CONFIG_NOT_FOUND', 'no Kubernetes API server is configured', {
      hint: 'run in a Pod with a service account, or name a kubeconfig',
    });
  }
  const read = async (name: string): Promise<string> => {
    try {
      return (await readFile(`${folder}/${name}`, 'utf8')).trim();
    } catch (cause) {
      throw new DelosError('ERR_CONFIG_NOT_FOUND', `${folder}/${name} cannot be read`, {
        hint: 'mount the service account token into the Pod',
        cause,
      });
    }
  };
  const ca = await read('ca.crt');
  let token = { value: await read('token'), at: Date.now() };
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    namespace: await read('namespace').catch(() => 'default'),
    credentials: async () => {
      if (Date.now() - token.at > TOKEN_MS) token = { value: await read('token'), at: Date.now() };
      return { ca, headers: { authorization: `Bearer ${token.value}` } };
    },
  };
}
