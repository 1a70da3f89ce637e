import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { DelosError } from '@delos/core';
import { z } from 'zod';
import type { Credentials } from './kubeconfig.ts';

/** Plain GETs of the Kubernetes API: lists, watches, single objects. */
export interface Api {
  /** Undefined on 404. @throws DelosError ERR_CLUSTER_UNREACHABLE on anything but 200 and 404, or past the limit */
  get(path: string, limitMs: number): Promise<unknown>;
  /** One parsed line an event, until the server ends it, the signal fires or nothing has come for `idleMs`. */
  watch(path: string, idleMs: number, signal: AbortSignal): AsyncGenerator<unknown>;
}

const status = z.object({ message: z.string() });

/** One pool of connections for all requests, so that a read at a Pod's start pays no handshake. */
export function connect({ server, headers, tls }: Credentials): Api {
  const agent = new Agent({ ...tls, keepAlive: true });

  const open = async (path: string, signal: AbortSignal): Promise<IncomingMessage> => {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    request(new URL(path, server), { headers, agent, signal }, resolve).on('error', reject).end();
    return promise;
  };
  const checked = async (response: IncomingMessage, path: string): Promise<IncomingMessage> => {
    if (response.statusCode === 200) return response;
    const parsed = status.safeParse(tryJson(await text(response)));
    const reason = parsed.success ? parsed.data.message : (response.statusMessage ?? '');
    throw new DelosError('ERR_CLUSTER_UNREACHABLE', `GET ${path}: ${response.statusCode} ${reason}`);
  };

  return {
    async get(path, limitMs) {
      const response = await open(path, AbortSignal.timeout(limitMs));
      if (response.statusCode === 404) {
        response.resume();
        return undefined;
      }
      return JSON.parse(await text(await checked(response, path)));
    },
    async *watch(path, idleMs, signal) {
      const response = await checked(await open(path, signal), path);
      response.setTimeout(idleMs, () => response.destroy(new Error(`no event for ${idleMs} ms`)));
      let rest = '';
      for await (const chunk of response.setEncoding('utf8')) {
        const lines = (rest + String(chunk)).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) if (line !== '') yield JSON.parse(line);
      }
    },
  };
}

async function text(response: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of response.setEncoding('utf8')) body += String(chunk);
  return body;
}

function tryJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
