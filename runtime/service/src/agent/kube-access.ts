import { readFile } from 'node:fs/promises';
import { DelosError } from '@delos/core';
import type { Environment } from '../service.ts';

/** Where the API server is and how it is asked. */
export interface KubeAccess {
  /** e.g. `https://10.203.0.1:443` */
  readonly server: string;
  readonly tls: { readonly ca?: Buffer | string; readonly cert?: Buffer | string; readonly key?: Buffer | string };
  /** Read anew now and then: a Pod's token is replaced within the hour. */
  readonly token: () => Promise<string | undefined>;
}

const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';
const TOKEN_MS = 60_000;

/**
 * The Pod's own service account, or what DELOS_KUBECONFIG names (outside a cluster).
 * @throws DelosError ERR_CONFIG_NOT_FOUND
 */
export async function kubeAccess(env: Environment): Promise<KubeAccess> {
  if (env.DELOS_KUBECONFIG !== undefined) return fromKubeconfig(env.DELOS_KUBECONFIG);
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = env;
  if (host === undefined || port === undefined) {
    throw new DelosError('ERR_CONFIG_NOT_FOUND', 'no Kubernetes API server is configured', {
      hint: 'run in a Pod with a service account, or set DELOS_KUBECONFIG',
    });
  }
  const read = async (name: string): Promise<string> => {
    try {
      return await readFile(`${ACCOUNT}/${name}`, 'utf8');
    } catch (cause) {
      throw new DelosError('ERR_CONFIG_NOT_FOUND', `${ACCOUNT}/${name} cannot be read`, {
        hint: 'mount the service account token into the agent',
        cause,
      });
    }
  };
  let token = { value: (await read('token')).trim(), at: Date.now() };
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    tls: { ca: await read('ca.crt') },
    token: async () => {
      if (Date.now() - token.at > TOKEN_MS) token = { value: (await read('token')).trim(), at: Date.now() };
      return token.value;
    },
  };
}

/** By the official client library, loaded only here: it would double the agent's memory. */
async function fromKubeconfig(file: string): Promise<KubeAccess> {
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  config.loadFromFile(file);
  const cluster = config.getCurrentCluster();
  const user = config.getCurrentUser();
  if (cluster === null) {
    throw new DelosError('ERR_CONFIG_NOT_FOUND', `${file} has no current context`, {
      hint: 'kubectl config use-context NAME chooses one',
    });
  }
  const material = async (data: string | undefined, path: string | undefined): Promise<Buffer | undefined> => {
    if (data !== undefined) return Buffer.from(data, 'base64');
    return path === undefined ? undefined : readFile(path);
  };
  const ca = await material(cluster.caData, cluster.caFile);
  const cert = await material(user?.certData, user?.certFile);
  const key = await material(user?.keyData, user?.keyFile);
  return {
    server: cluster.server.replace(/\/+$/, ''),
    tls: {
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
    },
    token: async () => user?.token,
  };
}
