import { isIPv6 } from 'node:net';
import type { NodeSpec } from './spec.ts';

const NAMES = ['HTTP_PROXY', 'HTTPS_PROXY'] as const;
const USUAL_PORT: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443, 'socks5:': 1080, 'socks5h:': 1080 };

export interface NodeProxy {
  /** Proxy settings that hold in the node's own network. */
  readonly proxy: NodeSpec['proxy'];
  /** Loopback addresses of the machine that the node is relayed to, under the same port of the machine's end. */
  readonly relays: NodeSpec['relays'];
  /** Names of settings that are no URL. */
  readonly unreadable: readonly string[];
}

/** Upper-case names only: the lower-case forms have the same values. */
function settingOf(env: NodeJS.ProcessEnv, name: string): string | undefined {
  return env[name] || env[name.toLowerCase()] || undefined;
}

function tryUrl(text: string): URL | undefined {
  // As curl and Go read it: without a scheme, it is http.
  return URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`) ?? undefined;
}

/**
 * The machine's proxy settings for the node. Loopback is another one there: a proxy on the machine's loopback is named
 * by the machine's end of the link instead, where `host` answers for it.
 */
export function proxyOf(env: NodeJS.ProcessEnv, hostIp: string): NodeProxy {
  const proxy: Record<string, string> = {};
  const relays = new Map<number, string>();
  const unreadable: string[] = [];
  for (const name of NAMES) {
    const value = settingOf(env, name);
    if (value === undefined) continue;
    const url = tryUrl(value);
    if (url === undefined || url.hostname === '') {
      unreadable.push(name);
      continue;
    }
    const host = url.hostname.replace(/^\[|\]$/g, '');
    if (!isLoopback(host)) {
      proxy[name] = value;
      continue;
    }
    const port = Number(url.port) || (USUAL_PORT[url.protocol] ?? 80);
    relays.set(port, host === 'localhost' ? '127.0.0.1' : host);
    const login = url.username === '' ? '' : `${url.username}${url.password === '' ? '' : `:${url.password}`}@`;
    proxy[name] = `${url.protocol}//${login}${hostIp}:${port}`;
  }
  const direct = settingOf(env, 'NO_PROXY');
  if (direct !== undefined) proxy.NO_PROXY = direct;
  return { proxy, relays: [...relays].map(([port, host]) => ({ port, host })), unreadable };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || /^127(\.\d+){3}$/.test(host) || (isIPv6(host) && host === '::1');
}
