import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { Browser, type Page, type Via } from '../browser.ts';

/** Where the official client listens for its code. */
export const CALLBACK = 'http://127.0.0.1:54540';

export interface LoginOptions {
  readonly redirect?: string;
  readonly scope?: string;
  readonly client?: string;
  readonly via?: Via;
}

/** How a login of the official client begins, and who goes through it. */
export async function beginLogin(realmUrl: string, options: LoginOptions = {}) {
  const { redirect = CALLBACK, scope = 'offline_access', client = 'apolo', via = {} } = options;
  const verifier = randomBytes(32).toString('base64url');
  const challenge = createHash('sha256').update(verifier).digest('base64url');
  const query = new URLSearchParams({
    response_type: 'code',
    code_challenge: challenge,
    code_challenge_method: 'S256',
    client_id: client,
    redirect_uri: redirect,
    scope,
    audience: 'apolo',
  });
  const browser = new Browser(via);
  const page = await browser.open(`${realmUrl}/protocol/openid-connect/auth?${query}`, redirect);
  return { browser, page, verifier, redirect };
}

/** The client's login, by HTTP: a browser, a name and a password. `code` is empty where nobody was let in. */
export async function login(realmUrl: string, user: string, password: string, options: LoginOptions = {}) {
  const { browser, page, verifier, redirect } = await beginLogin(realmUrl, options);
  const after = await browser.submit(page, { username: user, password }, redirect);
  return { page, after, code: codeOf(after), verifier };
}

export const codeOf = (page: Page): string =>
  page.status === 0 ? (new URL(page.url).searchParams.get('code') ?? '') : '';

/** What a page says, for a test that fails. */
export const words = ({ url, body }: Page): string =>
  `${url}\n${body
    .replace(/<(script|style)[\s\S]*?<\/\1>|<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')
    .slice(0, 1000)}`;

/** The token endpoint, as the official client asks it. */
export async function exchange(realmUrl: string, form: Readonly<Record<string, string>>) {
  const response = await fetch(`${realmUrl}/protocol/openid-connect/token`, {
    method: 'POST',
    body: new URLSearchParams({ client_id: 'apolo', ...form }),
  });
  const body = z
    .looseObject({
      access_token: z.string().optional(),
      id_token: z.string().optional(),
      refresh_token: z.string().optional(),
      expires_in: z.number().optional(),
    })
    .parse(await response.json());
  return { status: response.status, ...body };
}

/** The tokens that a code is for. */
export const tokensOf = (realmUrl: string, code: string, verifier: string, redirect = CALLBACK) =>
  exchange(realmUrl, { grant_type: 'authorization_code', code, code_verifier: verifier, redirect_uri: redirect });
