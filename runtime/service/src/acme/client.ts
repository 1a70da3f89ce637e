import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { Agent, request } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { certificateRequest } from './der.ts';

/*
 * A client of ACME (RFC 8555), as far as one certificate by dns-01 takes it.
 */

/** A problem that the server told of (RFC 7807), or an answer that is none. */
export class AcmeError extends Error {
  readonly type: string;
  constructor(type: string, message: string) {
    super(message);
    this.name = 'AcmeError';
    this.type = type;
  }
}

const directoryShape = z.object({ newNonce: z.url(), newAccount: z.url(), newOrder: z.url() });
const problemShape = z.object({ type: z.string().default(''), detail: z.string().default('') });
const orderShape = z.object({
  status: z.string(),
  authorizations: z.array(z.url()).max(100),
  finalize: z.url(),
  certificate: z.url().optional(),
  error: problemShape.optional(),
});
const authorizationShape = z.object({
  status: z.string(),
  identifier: z.object({ value: z.string() }),
  challenges: z.array(
    z.object({ type: z.string(), url: z.url(), token: z.string().default(''), error: problemShape.optional() }),
  ),
});

const ANSWER_BYTES = 2 ** 20;
const REQUEST_MS = 30_000;
/** So often and so long an order or an authorization is asked after. */
const POLL_MS = 2_000;
const POLLS = 90;

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: string;
}

/** A record that the server looks for. */
export interface ChallengeRecord {
  /** `_acme-challenge.` and a name. */
  readonly name: string;
  /** Text of a TXT record (RFC 8555, 8.4). */
  readonly text: string;
}

export interface AcmeClientProps {
  /** URL of the server's directory. */
  readonly directory: string;
  /** Key of the account, P-256 in PEM. */
  readonly accountKey: string;
  /** Whom the server writes to. */
  readonly email: string | undefined;
  /** Whether the terms of service are accepted. */
  readonly termsAccepted: boolean;
  /** Makes the records visible to the server, all of them at once. */
  readonly publish: (records: readonly ChallengeRecord[]) => Promise<void>;
  /** Takes them away again. */
  readonly withdraw: (records: readonly ChallengeRecord[]) => Promise<void>;
  /** Authorities of the server's own certificate, PEM. @default those that the process trusts */
  readonly authorities?: string;
  readonly signal: AbortSignal;
}

/** A new key of P-256, PKCS #8 in PEM. */
export const newKey = (): string =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

const base64url = (data: string | Buffer): string => Buffer.from(data).toString('base64url');

export class AcmeClient {
  readonly #props: AcmeClientProps;
  /** The proxy of the environment is asked where there is one. */
  readonly #agent = new Agent({ proxyEnv: process.env, keepAlive: false });
  readonly #jwk: Readonly<Record<string, string>>;
  #nonce: string | undefined;
  #directory: z.infer<typeof directoryShape> | undefined;
  #account: string | undefined;

  constructor(props: AcmeClientProps) {
    this.#props = props;
    const { crv = '', x = '', y = '' } = createPublicKey(createPrivateKey(props.accountKey)).export({ format: 'jwk' });
    // In this order the thumbprint is made of them (RFC 7638).
    this.#jwk = { crv, kty: 'EC', x, y };
  }

  /** A certificate for these names, with a new key. @throws AcmeError and errors of the network */
  async obtain(dnsNames: readonly string[]): Promise<{ readonly certificate: string; readonly key: string }> {
    const { newAccount, newOrder } = await this.#entry();
    const { email, termsAccepted } = this.#props;
    const contact = email === undefined ? {} : { contact: [`mailto:${email}`] };
    // An account that is there already is answered as well (RFC 8555, 7.3).
    const account = await this.#post(newAccount, { termsOfServiceAgreed: termsAccepted, ...contact });
    this.#account = locationOf(account);
    const identifiers = dnsNames.map((value) => ({ type: 'dns', value }));
    const ordered = await this.#post(newOrder, { identifiers });
    const order = orderShape.parse(JSON.parse(ordered.body));
    const url = locationOf(ordered);
    await this.#authorize(order.authorizations);
    const key = newKey();
    await this.#settled(url, ['ready', 'valid']);
    await this.#post(order.finalize, { csr: base64url(certificateRequest(key, dnsNames)) });
    const { certificate } = await this.#settled(url, ['valid']);
    if (certificate === undefined) throw new AcmeError('', 'the order is done and has no certificate');
    const chain = await this.#post(certificate, undefined);
    if (!chain.body.includes('-----BEGIN CERTIFICATE-----'))
      throw new AcmeError('', 'what was downloaded is no certificate');
    return { certificate: chain.body, key };
  }

  async #authorize(urls: readonly string[]): Promise<void> {
    const read = async (url: string) => authorizationShape.parse(JSON.parse((await this.#post(url, undefined)).body));
    const open = [];
    for (const url of urls) {
      const authorization = await read(url);
      if (authorization.status === 'valid') continue;
      const challenge = authorization.challenges.find(({ type }) => type === 'dns-01');
      const { value } = authorization.identifier;
      if (challenge === undefined) throw new AcmeError('', `the server offers no dns-01 for ${value}`);
      const thumbprint = base64url(createHash('sha256').update(JSON.stringify(this.#jwk)).digest());
      const text = base64url(createHash('sha256').update(`${challenge.token}.${thumbprint}`).digest());
      open.push({ url, challenge, record: { name: `_acme-challenge.${value}`, text } });
    }
    const records = open.map(({ record }) => record);
    if (records.length === 0) return;
    try {
      await this.#props.publish(records);
      for (const { challenge } of open) await this.#post(challenge.url, {});
      for (const { url } of open) await this.#valid(url, read);
    } finally {
      await this.#props.withdraw(records);
    }
  }

  async #valid(url: string, read: (url: string) => Promise<z.infer<typeof authorizationShape>>): Promise<void> {
    for (let poll = 0; poll < POLLS; poll++) {
      const { status, identifier, challenges } = await read(url);
      if (status === 'valid') return;
      if (status !== 'pending') {
        const error = challenges.find((challenge) => challenge.error !== undefined)?.error;
        throw new AcmeError(error?.type ?? '', `${identifier.value} was not confirmed: ${error?.detail ?? status}`);
      }
      await sleep(POLL_MS, undefined, { signal: this.#props.signal });
    }
    throw new AcmeError('', 'the server has not looked at the records in three minutes');
  }

  async #settled(url: string, wanted: readonly string[]): Promise<z.infer<typeof orderShape>> {
    for (let poll = 0; poll < POLLS; poll++) {
      const order = orderShape.parse(JSON.parse((await this.#post(url, undefined)).body));
      if (wanted.includes(order.status)) return order;
      if (order.status === 'invalid')
        throw new AcmeError(order.error?.type ?? '', `the order failed: ${order.error?.detail ?? ''}`);
      await sleep(POLL_MS, undefined, { signal: this.#props.signal });
    }
    throw new AcmeError('', 'the order was not done in three minutes');
  }

  async #entry(): Promise<z.infer<typeof directoryShape>> {
    if (this.#directory !== undefined) return this.#directory;
    const { status, body } = await this.#send('GET', this.#props.directory);
    if (status !== 200)
      throw new AcmeError('', `${this.#props.directory} answers ${status}: it is no directory of ACME`);
    this.#directory = directoryShape.parse(JSON.parse(body));
    return this.#directory;
  }

  /** Signed (RFC 8555, 6.2). @param payload undefined: POST-as-GET (6.3) */
  async #post(url: string, payload: unknown, again = true): Promise<Answer> {
    this.#nonce ??= nonceOf(await this.#send('HEAD', (await this.#entry()).newNonce));
    const who = this.#account === undefined ? { jwk: this.#jwk } : { kid: this.#account };
    const head = base64url(JSON.stringify({ alg: 'ES256', nonce: this.#nonce, url, ...who }));
    const body = payload === undefined ? '' : base64url(JSON.stringify(payload));
    const key = { key: createPrivateKey(this.#props.accountKey), dsaEncoding: 'ieee-p1363' as const };
    const signature = base64url(sign('sha256', Buffer.from(`${head}.${body}`), key));
    const answer = await this.#send('POST', url, JSON.stringify({ protected: head, payload: body, signature }));
    this.#nonce = tryNonce(answer);
    if (answer.status < 300) return answer;
    const problem = tryProblem(answer.body);
    // A nonce may have been given to another server behind the same name (6.5).
    if (problem.type.endsWith(':badNonce') && again) return await this.#post(url, payload, false);
    throw new AcmeError(problem.type, `${url} answers ${answer.status}: ${problem.detail}`);
  }

  #send(method: string, url: string, body?: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const headers = {
        'user-agent': 'delos',
        ...(body === undefined
          ? {}
          : { 'content-type': 'application/jose+json', 'content-length': Buffer.byteLength(body) }),
      };
      const { authorities, signal } = this.#props;
      const trust = authorities === undefined ? {} : { ca: authorities };
      const asked = request(url, { method, headers, agent: this.#agent, signal, ...trust });
      asked.setTimeout(REQUEST_MS, () => asked.destroy(new Error(`no answer within ${REQUEST_MS / 1000} s`)));
      asked.once('error', reject);
      asked.once('response', (answer) => {
        let text = '';
        answer.setEncoding('utf8');
        answer.on('data', (piece: string) => {
          text += piece;
          if (text.length > ANSWER_BYTES) answer.destroy(new Error('the answer is too long'));
        });
        answer.once('error', reject);
        answer.once('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: text }));
      });
      asked.end(body);
    });
  }
}

function tryNonce({ headers }: Answer): string | undefined {
  const nonce = headers['replay-nonce'];
  return typeof nonce === 'string' ? nonce : undefined;
}
function nonceOf(answer: Answer): string {
  const nonce = tryNonce(answer);
  if (nonce !== undefined) return nonce;
  throw new AcmeError('', 'the server gives no nonce');
}
function locationOf({ headers }: Answer): string {
  if (typeof headers.location === 'string') return headers.location;
  throw new AcmeError('', 'the server does not say where what it made is');
}
function tryProblem(body: string): z.infer<typeof problemShape> {
  try {
    return problemShape.parse(JSON.parse(body));
  } catch {
    return { type: '', detail: body.slice(0, 200) };
  }
}
