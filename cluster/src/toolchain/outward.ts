import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { refuseOffline } from '@delos/host';

/*
 * Requests to the outside go by the machine's proxy (HTTP_PROXY, HTTPS_PROXY, NO_PROXY), which Node's fetch leaves
 * aside unless the whole process uses it; what talks to loopback and to the cluster must not.
 */

export interface OutwardOptions {
  readonly method?: 'GET' | 'HEAD';
  /** From the start to the answer's head; then for silence between two pieces of the body. */
  readonly limitMs: number;
  /** How many redirects are followed. @default 5 */
  readonly redirects?: number;
}

/** Made when they are first used: delos.yaml may name the proxy. */
let agents: { readonly 'http:': HttpAgent; readonly 'https:': HttpsAgent } | undefined;
const agentsOf = () =>
  (agents ??= {
    'http:': new HttpAgent({ proxyEnv: process.env }),
    'https:': new HttpsAgent({ proxyEnv: process.env }),
  });

/** The answer, its body unread, after redirects; rejects when none comes in time. An https address never becomes http. */
export async function askOutward(url: string, options: OutwardOptions): Promise<IncomingMessage> {
  refuseOffline(url);
  const { protocol } = new URL(url);
  if (protocol !== 'https:' && protocol !== 'http:') throw new Error(`${url} is neither http nor https`);
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const settings = { method: options.method ?? 'GET', agent: agentsOf()[protocol] };
    const asked = protocol === 'https:' ? httpsRequest(url, settings) : httpRequest(url, settings);
    const late = (): void => void asked.destroy(new Error(`no answer within ${options.limitMs / 1000} s`));
    const timer = setTimeout(late, options.limitMs);
    asked.setTimeout(options.limitMs, late);
    asked.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    asked.once('response', (response) => {
      clearTimeout(timer);
      resolve(response);
    });
    asked.end();
  });
  const status = answer.statusCode ?? 0;
  const to = answer.headers.location;
  const left = options.redirects ?? 5;
  if (status < 300 || status >= 400 || to === undefined || left === 0) return answer;
  answer.resume();
  const next = new URL(to, url);
  if (protocol === 'https:' && next.protocol !== 'https:')
    throw new Error(`${url} leads to ${next.protocol}//${next.host}`);
  return askOutward(next.href, { ...options, redirects: left - 1 });
}

/** A small text body. */
export async function textOf(answer: IncomingMessage, limitBytes = 2 ** 20): Promise<string> {
  let text = '';
  answer.setEncoding('utf8');
  for await (const piece of answer) {
    text += String(piece);
    if (text.length > limitBytes) throw new Error('the answer is too long');
  }
  return text;
}
