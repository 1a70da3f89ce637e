import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import type { Check } from '@delos/cluster';
import { noProxy, type PlatformConfig, proxyUrls } from '@delos/core';

/** Addresses that embedded nodes may have (cluster/src/embedded/host/addresses.ts), of any instance. */
const EMBEDDED = ['10.201.0.0/16', '10.202.0.0/15', '10.204.0.0/14', '10.208.0.0/13', '10.216.0.0/15', '10.218.0.0/16'];
const ANSWER_MS = 5_000;

/**
 * Has this process, the tools that it starts and the nodes that it makes dial out by `network.proxy`. A file with its login that
 * cannot be read is found by the preflight.
 */
export function useSiteProxy(config: PlatformConfig, env: NodeJS.ProcessEnv = process.env): void {
  const { proxy } = config.network;
  if (proxy === undefined) return;
  const { file } = proxy.credentials ?? {};
  const urls = proxyUrls(proxy);
  const values = {
    HTTP_PROXY: withLogin(urls.http, file),
    HTTPS_PROXY: withLogin(urls.https, file),
    NO_PROXY: noProxy(config, EMBEDDED),
  };
  for (const [name, value] of Object.entries(values)) {
    env[name] = value;
    env[name.toLowerCase()] = value;
  }
}

function withLogin(url: string, file: string | undefined): string {
  if (file === undefined) return url;
  let login: string;
  try {
    login = readFileSync(file, 'utf8').trim();
  } catch {
    return url;
  }
  const [user = '', ...password] = login.split(':');
  const { protocol, host } = new URL(url);
  return `${protocol}//${encodeURIComponent(user)}:${encodeURIComponent(password.join(':'))}@${host}`;
}

/** Whether each file of authorities can be used, and whether somebody answers where the proxy is. */
export async function siteNetworkChecks({ network }: PlatformConfig): Promise<readonly Check[]> {
  const { proxy, authorities } = network;
  const urls = proxy === undefined ? undefined : proxyUrls(proxy);
  const proxies = urls === undefined ? [] : [...new Set([urls.http, urls.https])];
  return [...authorities.map(authorityCheck), ...(await Promise.all(proxies.map(proxyAnswers)))];
}

function authorityCheck(path: string): Check {
  const fault = authorityFault(path);
  return {
    id: 'network.authority',
    ok: fault === undefined,
    fatal: true,
    code: 'ERR_PREFLIGHT',
    measured: `${path} ${fault ?? 'can be used'}`,
    needed: 'certificates of authorities in PEM that are good today',
    fix: 'mend the file, or take it out of `network.authorities` in delos.yaml',
  };
}

function authorityFault(path: string): string | undefined {
  let found: readonly X509Certificate[];
  try {
    const blocks = readFileSync(path, 'utf8').match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
    found = (blocks ?? []).map((block) => new X509Certificate(block));
  } catch (error) {
    return `cannot be read (${error instanceof Error ? error.message : String(error)})`;
  }
  if (found.length === 0) return 'holds no certificate';
  const odd = found.find(({ ca }) => !ca);
  if (odd !== undefined) return `holds a certificate that is no authority: ${odd.subject.replaceAll('\n', ', ')}`;
  const ended = found.find(({ validTo }) => Date.parse(validTo) < Date.now());
  return ended === undefined ? undefined : `holds an authority that has ended on ${ended.validTo}`;
}

async function proxyAnswers(url: string): Promise<Check> {
  const { hostname, port, protocol } = new URL(url);
  const fault = await new Promise<string | undefined>((resolve) => {
    const host = hostname.replace(/^\[|\]$/g, '');
    const socket = connect({ host, port: Number(port) || (protocol === 'https:' ? 443 : 80), timeout: ANSWER_MS });
    const done = (what?: string): void => {
      socket.destroy();
      resolve(what);
    };
    socket.once('connect', () => done());
    socket.once('timeout', () => done(`no answer within ${ANSWER_MS / 1000} s`));
    socket.once('error', (error) => done(error.message));
  });
  return {
    id: 'network.proxy.answers',
    ok: fault === undefined,
    // It may answer the cluster and not this machine.
    fatal: false,
    code: 'ERR_PREFLIGHT',
    measured: fault === undefined ? `${url} answers` : `${url}: ${fault}`,
    needed: 'the proxy of `network.proxy` answers this machine',
    fix: 'check its host and port, and firewalls in between',
  };
}
