import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { rootCertificates } from 'node:tls';
import { PLATFORM_NAMESPACE } from '@delos/constructs';
import { DelosError, type PlatformConfig } from '@delos/core';
import { z } from 'zod';
import type { Kube } from '../../instance/kube.ts';
import { gatewaySecret } from '../tls/gateway-certificate.ts';
import { routed, type Transport } from './gateway-route.ts';

const OPEN_LIMIT = 30_000;
const tlsSecret = z.object({ data: z.object({ 'ca.crt': z.base64().optional() }) });

/** Does `work` with requests that reach the gateway through the Kubernetes API, wherever its public name leads yet. */
export async function throughCluster<T>(
  kube: Kube,
  config: PlatformConfig,
  signal: AbortSignal,
  work: (transport: Transport) => Promise<T>,
): Promise<T> {
  const secret = gatewaySecret(config);
  const { data } = await kube.json(tlsSecret, ['get', 'secret', secret, '--namespace', PLATFORM_NAMESPACE]);
  const authority = data['ca.crt'];
  const forward = await openForward(kube, 'service/gateway', 'https', signal);
  try {
    const own = authority === undefined ? undefined : Buffer.from(authority, 'base64').toString();
    const transport = await routed(forward.port, own === undefined ? undefined : trusted(config, own));
    try {
      return await work(transport);
    } finally {
      await transport.close();
    }
  } finally {
    forward.end();
  }
}

/**
 * kubectl port-forward to the TLS port of the gateway's Service or of one of its Pods, on a free port of loopback.
 * @throws DelosError ERR_CLUSTER_UNREACHABLE
 */
export function openForward(
  kube: Kube,
  target: `${'service' | 'pod'}/${string}`,
  port: number | 'https',
  signal: AbortSignal,
): Promise<{ readonly port: number; readonly end: () => void }> {
  const [command, ...before] = kube.argv;
  const args = ['port-forward', '--namespace', PLATFORM_NAMESPACE, target, `:${port}`];
  const child = spawn(command, [...before, ...args], {
    env: { ...process.env, ...kube.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
  });
  let words = '';
  child.stderr.on('data', (data: Buffer) => {
    words = data.toString().trim();
  });
  return new Promise((resolve, reject) => {
    const refuse = (why: string, cause?: Error): void => {
      child.kill();
      const told = `the gateway cannot be reached through the cluster: ${why}`;
      reject(new DelosError('ERR_CLUSTER_UNREACHABLE', told, { cause }));
    };
    const limit = setTimeout(() => refuse(`kubectl port-forward is silent after ${OPEN_LIMIT / 1000} s`), OPEN_LIMIT);
    child.once('error', (error) => refuse(error.message, error));
    child.once('exit', () => refuse(words || 'kubectl port-forward ended'));
    createInterface(child.stdout).on('line', (line) => {
      const port = /^Forwarding from 127\.0\.0\.1:(\d+)/.exec(line)?.[1];
      if (port === undefined) return;
      clearTimeout(limit);
      resolve({ port: Number(port), end: () => void child.kill() });
    });
  });
}

/** By ACME the certificate is of somebody else's authority, and until there is one of the platform's own. */
function trusted({ gateway, network }: PlatformConfig, own: string): string {
  if (gateway.tls?.acme === undefined) return own;
  return [own, ...network.authorities.map((file) => readFileSync(file, 'utf8')), ...rootCertificates].join('\n');
}
