import { failureOf, type KubeClient, type Query } from '@delos/kube';
import type WebSocket from 'ws';
import { openPaused } from './paused-socket.ts';

const HANDSHAKE_MS = 30_000;

/** A WebSocket of the Kubernetes API, paused. @throws KubeError where the API server, or the kubelet, refuses it */
export async function kubeSocket(
  client: KubeClient,
  path: string,
  query: Query,
  protocols: readonly string[],
): Promise<WebSocket> {
  const { url, credentials } = await client.target(path, query);
  const { headers = {}, ...tls } = credentials;
  url.protocol = url.protocol.replace('http', 'ws');
  return openPaused(url, { ...tls, headers, protocols, handshakeTimeout: HANDSHAKE_MS, failure: failureOf });
}
