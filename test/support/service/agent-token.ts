import { readFile } from 'node:fs/promises';
import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import { serviceProcesses } from '../cluster/node.ts';
import { until } from '../until.ts';

export interface KubeRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
  /** @default application/json; a PATCH: application/merge-patch+json */
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface KubeAnswer {
  readonly status: number;
  /** Why it was refused; empty where it was not. */
  readonly message: string;
}

/**
 * The API server as whoever has taken over the agent would ask it: with the very token that lies in its container.
 * Writes are dry runs, which are authorized and admitted like any other: an attack that succeeds must not take the rest
 * of the tests with it.
 */
export async function withAgentToken(server: {
  readonly ip: string;
  readonly port: number;
}): Promise<(ask: KubeRequest) => Promise<KubeAnswer>> {
  const pid = await until('the agent runs', 60, async () => (await serviceProcesses('agent'))[0]?.pid);
  // Not by /var/run: that is a link, which from here would lead to this machine's own /run.
  const account = `/proc/${pid}/root/run/secrets/kubernetes.io/serviceaccount`;
  const token = await readFile(`${account}/token`, 'utf8');
  const ca = await readFile(`${account}/ca.crt`, 'utf8');
  return (ask) => askServer(server, { token, ca }, ask);
}

export async function askServer(
  server: { readonly ip: string; readonly port: number },
  { token, ca }: { readonly token: string; readonly ca: string },
  { method, path, body, type, headers }: KubeRequest,
): Promise<KubeAnswer> {
  const dry = method === 'GET' || /\/(exec|attach|portforward|proxy)\b/.test(path);
  const content = body === undefined ? undefined : JSON.stringify(body);
  const patch = 'application/merge-patch+json';
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: server.ip,
        port: server.port,
        path: dry ? path : `${path}${path.includes('?') ? '&' : '?'}dryRun=All`,
        method,
        ca,
        // The address is the node's; the certificate names it.
        headers: {
          authorization: `Bearer ${token.trim()}`,
          ...(content === undefined
            ? {}
            : { 'content-type': type ?? (method === 'PATCH' ? patch : 'application/json') }),
          ...headers,
        },
      },
      (response) => {
        text(response).then((answer) => {
          const status = response.statusCode ?? 0;
          resolve({ status, message: status < 400 ? '' : messageOf(answer) });
        }, reject);
      },
    );
    // Where it is let through, a WebSocket opens.
    sent.once('upgrade', (response, socket) => {
      socket.destroy();
      resolve({ status: response.statusCode ?? 101, message: '' });
    });
    sent.once('error', reject);
    sent.end(content);
  });
}

function messageOf(answer: string): string {
  try {
    const parsed: unknown = JSON.parse(answer);
    if (typeof parsed === 'object' && parsed !== null && 'message' in parsed) return String(parsed.message);
  } catch {
    // Not an object of Kubernetes.
  }
  return answer.slice(0, 500);
}
