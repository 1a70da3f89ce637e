import { createConnection } from 'node:net';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

/** Where the agent listens, and where the CNI plugin asks when its configuration names no other `socket`. */
export const DEFAULT_SOCKET = '/run/delos/netpol.sock';
export const DEFAULT_STATE = '/run/delos/netpol';

/**
 * Entry of the agent, for Node. It runs as root in the node's network namespace with nft on PATH; environment: KUBECONFIG,
 * DELOS_POD_CIDR. It may list and watch Pods, namespaces and network policies of all namespaces.
 */
export const NETPOL_AGENT = fileURLToPath(new URL('main.ts', import.meta.url));

const answer = z.object({
  ok: z.literal(true),
  status: z.object({
    pid: z.number(),
    started: z.string(),
    synced: z.boolean(),
    pods: z.number(),
    policies: z.number(),
    chains: z.number(),
    transactions: z.number(),
    wholeTables: z.number(),
    failures: z.number(),
    drifts: z.number(),
    lastMs: z.number(),
    lastError: z.string().optional(),
  }),
});
export type NetpolStatus = z.infer<typeof answer>['status'];

/** Undefined when no agent answers. Healthy is `synced` without `lastError`. */
export async function tryNetpolStatus(socket: string, limitMs = 2_000): Promise<NetpolStatus | undefined> {
  const connection = createConnection(socket);
  const timer = setTimeout(() => connection.destroy(new Error('no answer')), limitMs);
  try {
    connection.write('{"command":"status"}\n');
    let text = '';
    for await (const chunk of connection.setEncoding('utf8')) text += String(chunk);
    return answer.parse(JSON.parse(text)).status;
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
    connection.destroy();
  }
}
