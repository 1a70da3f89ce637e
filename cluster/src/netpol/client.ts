import { createConnection } from 'node:net';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

export interface NetpolCommand {
  readonly kubeconfig: string;
  readonly podCidr: string;
  /** Unix socket to be made; the CNI plugin's configuration names the same. */
  readonly socket: string;
  readonly state: string;
}

/** Arguments for Node that start the agent; it must run as root in the node's network namespace, with nft on PATH. */
export function netpolArguments({ kubeconfig, podCidr, socket, state }: NetpolCommand): readonly string[] {
  const main = fileURLToPath(new URL('main.ts', import.meta.url));
  return [main, '--kubeconfig', kubeconfig, '--pod-cidr', podCidr, '--socket', socket, '--state', state];
}

/** The last plugin of the node's CNI list (cniVersion 1.0.0); its executable is `delos-cni-gate`. */
export function gatePluginConfig(socket: string): Readonly<Record<string, unknown>> {
  return { type: 'delos-cni-gate', socket };
}

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
