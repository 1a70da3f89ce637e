import { readFile } from 'node:fs/promises';
import { type ClientRequest, request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Duplex } from 'node:stream';

/** How long the site's proxy may take to answer a request to connect. */
export const CONNECT_MS = 20_000;

/** The site's proxy, and how to log in to it. Its files are read at each request: a change needs no restart. */
export interface SiteProxySettings {
  /** Its URL for each scheme. */
  readonly url: { readonly http: string; readonly https: string };
  /** File with `USER:PASSWORD`. @default it asks for none */
  readonly credentialsFile: string | undefined;
  /** File of the authorities of its certificate, PEM. @default the public ones */
  readonly authoritiesFile: string | undefined;
}

/** The site's proxy said no, or nothing. */
export class ProxyError extends Error {
  /** `away`: no answer, or not the answer of a proxy. */
  readonly kind: 'refused' | 'away';
  constructor(kind: ProxyError['kind'], message: string) {
    super(message);
    this.name = 'ProxyError';
    this.kind = kind;
  }
}

/** The proxy of the site: the one place where its password is known. */
export class SiteProxyClient {
  readonly #settings: SiteProxySettings;

  constructor(settings: SiteProxySettings) {
    this.#settings = settings;
  }

  /** A connection to `HOST:PORT` by CONNECT (RFC 9110, 9.3.6). @throws ProxyError */
  async connect(authority: string): Promise<{ readonly socket: Duplex; readonly head: Buffer }> {
    const asked = await this.#ask(this.#settings.url.https, 'CONNECT', authority, { host: authority });
    return await new Promise((resolve, reject) => {
      asked.setTimeout(CONNECT_MS, () => asked.destroy(new Error(`no answer within ${CONNECT_MS / 1000} s`)));
      asked.once('error', (error) => reject(new ProxyError('away', `the proxy does not answer: ${error.message}`)));
      asked.once('response', (answer) => {
        answer.resume();
        asked.destroy();
        reject(refusal(answer));
      });
      asked.once('connect', (answer, socket, head) => {
        if (answer.statusCode !== undefined && answer.statusCode >= 200 && answer.statusCode < 300) {
          socket.setTimeout(0);
          resolve({ socket, head });
          return;
        }
        socket.destroy();
        reject(refusal(answer));
      });
      asked.end();
    });
  }

  /** A request for an http:// URL, to be written to. */
  async request(method: string, url: string, headers: OutgoingHttpHeaders): Promise<ClientRequest> {
    return await this.#ask(this.#settings.url.http, method, url, headers);
  }

  async #ask(proxy: string, method: string, path: string, headers: OutgoingHttpHeaders): Promise<ClientRequest> {
    const { protocol, hostname, port } = new URL(proxy);
    const { credentialsFile, authoritiesFile } = this.#settings;
    const login = credentialsFile === undefined ? undefined : (await readFile(credentialsFile, 'utf8')).trim();
    const options = {
      method,
      path,
      host: hostname.replace(/^\[|\]$/g, ''),
      port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port),
      headers: {
        ...headers,
        ...(login === undefined ? {} : { 'proxy-authorization': `Basic ${Buffer.from(login).toString('base64')}` }),
      },
      agent: false as const,
      setHost: false,
    };
    if (protocol !== 'https:') return httpRequest(options);
    return httpsRequest({
      ...options,
      ...(authoritiesFile === undefined ? {} : { ca: await readFile(authoritiesFile) }),
    });
  }
}

/** An error that says in words what the proxy answered. A 407 is not passed on, since our services have no login to give. */
export function refusal({ statusCode = 0, statusMessage = '' }: Pick<IncomingMessage, 'statusCode' | 'statusMessage'>) {
  const said = `${statusCode} ${statusMessage}`.trim();
  const what = statusCode === 407 ? 'the proxy does not take the credentials of `network.proxy`' : 'the proxy refuses';
  return new ProxyError(statusCode === 407 ? 'away' : 'refused', `${what} (${said})`);
}
