import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { API_PORT, addressesOf } from './host/addresses.ts';
import { layoutOf, type NodeSpec } from './spec.ts';

/*
 * A few requests to the API server by client certificate. The full client library costs most of a second to load,
 * which is too much for a start that has fifteen, and for a supervisor that stays resident.
 */

export interface ApiResponse {
  readonly status: number;
  readonly body: string;
}

export interface Api {
  /** @throws Error when there is no answer within the limit. */
  request(method: string, path: string, body?: unknown, contentType?: string): Promise<ApiResponse>;
  /** Parsed body. @throws Error for a status of 300 and above, with what the server said. */
  json(method: string, path: string, body?: unknown, contentType?: string): Promise<unknown>;
  /** Server-side apply of one object, as field manager `delos`. */
  apply(path: string, object: unknown): Promise<void>;
  close(): void;
}

const REQUEST_LIMIT = 10_000;

/** @param certificate name of the client certificate in the PKI folder */
export function openApi(spec: Pick<NodeSpec, 'state' | 'number'>, certificate: string): Api {
  const layout = layoutOf(spec.state);
  const pki = (file: string) => readFileSync(join(layout.pki, file));
  const agent = new Agent({
    keepAlive: true,
    ca: pki('ca.crt'),
    cert: pki(`${certificate}.crt`),
    key: pki(`${certificate}.key`),
  });
  const host = addressesOf(spec.number).nodeIp;

  const send: Api['request'] = (method, path, body, contentType = 'application/json') =>
    new Promise((resolve, reject) => {
      const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
      const headers = payload === undefined ? {} : { 'content-type': contentType, 'content-length': payload.length };
      const outgoing = request(
        { agent, host, port: API_PORT, path, method, headers: { accept: 'application/json', ...headers } },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () =>
            resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }),
          );
        },
      );
      outgoing.setTimeout(REQUEST_LIMIT, () => outgoing.destroy(new Error(`${method} ${path}: no answer in 10 s`)));
      outgoing.on('error', reject);
      outgoing.end(payload);
    });

  const json: Api['json'] = async (method, path, body, contentType) => {
    const response = await send(method, path, body, contentType);
    if (response.status >= 300) throw new Error(`${method} ${path}: ${response.status} ${messageOf(response.body)}`);
    return JSON.parse(response.body);
  };

  return {
    request: send,
    json,
    async apply(path, object) {
      await json('PATCH', `${path}?fieldManager=delos&force=true`, object, 'application/apply-patch+yaml');
    },
    close: () => agent.destroy(),
  };
}

/** The message of a Status object, or the start of whatever it is. */
export function messageOf(body: string): string {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed === 'object' && parsed !== null && 'message' in parsed) return String(parsed.message);
  } catch {
    // Not JSON: shown as it is.
  }
  return body.slice(0, 300);
}
