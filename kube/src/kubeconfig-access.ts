import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { DelosError } from '@delos/core';
import { parse } from 'yaml';
import { z } from 'zod';
import type { KubeAccess } from './access.ts';

const text = z.string().optional();
const schema = z.object({
  'current-context': z.string(),
  clusters: z.array(
    z.object({
      name: z.string(),
      cluster: z.object({
        server: z.url({ protocol: /^https?$/ }),
        'certificate-authority': text,
        'certificate-authority-data': text,
        'insecure-skip-tls-verify': z.boolean().optional(),
        'tls-server-name': text,
      }),
    }),
  ),
  users: z.array(
    z.object({
      name: z.string(),
      user: z.object({
        'client-certificate': text,
        'client-certificate-data': text,
        'client-key': text,
        'client-key-data': text,
        token: text,
        tokenFile: text,
        exec: z.unknown().optional(),
        'auth-provider': z.unknown().optional(),
      }),
    }),
  ),
  contexts: z.array(
    z.object({ name: z.string(), context: z.object({ cluster: z.string(), user: z.string(), namespace: text }) }),
  ),
});

/**
 * The current context of a kubeconfig, for a client certificate or a token. The full client library would more than
 * double the memory of a process that stays; {@link libraryAccess} is for all other ways to sign in.
 * @throws DelosError ERR_CLUSTER_UNREACHABLE
 */
export function kubeconfigAccess(path: string): KubeAccess {
  const parsed = schema.safeParse(documentOf(path));
  if (!parsed.success) {
    throw new DelosError('ERR_CLUSTER_UNREACHABLE', `${path} is no kubeconfig: ${z.prettifyError(parsed.error)}`);
  }
  const config = parsed.data;
  const context = config.contexts.find(({ name }) => name === config['current-context'])?.context;
  const cluster = config.clusters.find(({ name }) => name === context?.cluster)?.cluster;
  const user = config.users.find(({ name }) => name === context?.user)?.user;
  if (cluster === undefined || user === undefined) {
    throw new DelosError('ERR_CLUSTER_UNREACHABLE', `${path} has no context ${config['current-context']}`);
  }
  if (user.exec !== undefined || user['auth-provider'] !== undefined) {
    throw new DelosError(
      'ERR_CLUSTER_UNREACHABLE',
      `${path} signs in by a command or a plugin, which is not run here`,
      {
        hint: 'use a kubeconfig whose user has a client certificate or a token',
      },
    );
  }
  const content = (data: string | undefined, file: string | undefined): Buffer | undefined => {
    if (data !== undefined) return Buffer.from(data, 'base64');
    // As kubectl reads it: a path is relative to the kubeconfig's folder.
    return file === undefined ? undefined : Buffer.from(read(resolve(dirname(path), file)));
  };
  const token = user.token ?? content(undefined, user.tokenFile)?.toString('utf8').trim();
  const ca = content(cluster['certificate-authority-data'], cluster['certificate-authority']);
  const cert = content(user['client-certificate-data'], user['client-certificate']);
  const key = content(user['client-key-data'], user['client-key']);
  const servername = cluster['tls-server-name'];
  const credentials = {
    ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(servername === undefined ? {} : { servername }),
    ...(cluster['insecure-skip-tls-verify'] === true ? { rejectUnauthorized: false } : {}),
  };
  return {
    server: cluster.server.replace(/\/+$/, ''),
    namespace: context?.namespace ?? 'default',
    credentials: () => credentials,
  };
}

function documentOf(path: string): unknown {
  try {
    return parse(read(path));
  } catch (cause) {
    if (cause instanceof DelosError) throw cause;
    throw new DelosError('ERR_CLUSTER_UNREACHABLE', `${path} is no YAML`, { cause });
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new DelosError('ERR_CLUSTER_UNREACHABLE', `${path} cannot be read`, {
      hint: 'check the path of the kubeconfig, and those of the files in it',
      cause,
    });
  }
}
