import { DelosError } from '@delos/core';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ApiDeps } from '../../deps.ts';
import { LoginLimits } from './limits.ts';

/*
 * Keycloak locks an account for everybody after wrong passwords, and knows no limit by source. So the gateway sends
 * each password through here: it is counted, passed on to Keycloak as it came, and forgotten.
 */

/** A user name and a password are far smaller. */
const BODY_BYTES = 16 * 1024;
const TIMEOUT_MS = 30_000;
const PASSED_ON =
  /^(accept|accept-language|cookie|content-type|origin|referer|user-agent|x-forwarded-.*|x-request-id)$/;
const KEPT_BACK = /^(connection|content-encoding|content-length|keep-alive|set-cookie|transfer-encoding)$/;

/**
 * Where users reach a Keycloak by its own address, no password comes here.
 * @param realmUrl the realm at Keycloak, as it is reached from here: its path may be another than the one of the route
 */
export function loginRoute(app: FastifyInstance, deps: Pick<ApiDeps, 'database'>, realmUrl: string): void {
  const limits = new LoginLimits(deps.database);
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) =>
    done(null, body),
  );
  const options = { bodyLimit: BODY_BYTES, config: { anonymousBody: BODY_BYTES }, schema: { hide: true } };
  app.post('/login-actions/authenticate', options, async (request, reply) => {
    const body = typeof request.body === 'string' ? request.body : '';
    const attempt = await limits.attempt(request.ip, new URLSearchParams(body).get('username') ?? '');
    if (attempt.wait > 0) return refuse(reply, attempt.wait);
    const answer = await ask(`${realmUrl}/login-actions/authenticate${queryOf(request.url)}`, request, body);
    const succeeded = answer !== undefined && isLogin(answer);
    if (answer === undefined || answer.status >= 500 || succeeded) await attempt.takeBack();
    if (answer === undefined) {
      throw new DelosError('ERR_TIMEOUT', 'the identity service does not answer, so nobody can log in', {
        hint: 'try again in a moment; if it stays: delos logs keycloak',
      });
    }
    return passBack(reply, answer, succeeded ? '' : await noticeOf(deps.database));
  });
}

/** Names the directories that are away. Keycloak itself tells their users that the password is wrong. */
async function noticeOf({ db }: ApiDeps['database']): Promise<string> {
  const rows = await db
    .selectFrom('identity_providers')
    .select('name')
    .where('away', '=', true)
    .orderBy('name')
    .execute();
  if (rows.length === 0) return '';
  const names = rows.map(({ name }) => name).join(', ');
  const what = rows.length === 1 ? `${names} does` : `${names} do`;
  return `<p role="alert">${what} not answer now, so people who come from there cannot log in. Users of this platform itself can.</p>`;
}

const queryOf = (url: string): string => (url.includes('?') ? url.slice(url.indexOf('?')) : '');

async function ask(url: string, request: FastifyRequest, body: string): Promise<Response | undefined> {
  const headers = Object.entries(request.headers).flatMap(([name, value]) =>
    PASSED_ON.test(name) && value !== undefined ? [[name, [value].flat().join(', ')] as [string, string]] : [],
  );
  try {
    return await fetch(url, {
      method: 'POST',
      headers,
      body,
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch {
    return undefined;
  }
}

/** A wrong password is answered by the form again. Who is let in is sent on: with a code, or to what they must do first. */
function isLogin({ status, headers }: Response): boolean {
  const target = URL.parse(headers.get('location') ?? '');
  if (status < 300 || status >= 400 || target === null) return false;
  return target.searchParams.has('code') || target.pathname.endsWith('/login-actions/required-action');
}

/** @param notice HTML that a page begins with */
async function passBack(reply: FastifyReply, answer: Response, notice: string): Promise<FastifyReply> {
  for (const [name, value] of answer.headers) if (!KEPT_BACK.test(name)) void reply.header(name, value);
  for (const cookie of answer.headers.getSetCookie()) void reply.header('set-cookie', cookie);
  const isPage = answer.headers.get('content-type')?.startsWith('text/html') === true;
  if (notice === '' || !isPage) return reply.code(answer.status).send(Buffer.from(await answer.arrayBuffer()));
  const page = await answer.text();
  return reply.code(answer.status).send(page.replace(/<body[^>]*>/i, (body) => `${body}${notice}`));
}

function refuse(reply: FastifyReply, seconds: number): FastifyReply {
  return reply
    .code(429)
    .type('text/html; charset=utf-8')
    .headers({
      'retry-after': String(seconds),
      'cache-control': 'no-store',
      'content-security-policy': "default-src 'none'",
    })
    .send(
      '<!doctype html><html lang="en"><meta charset="utf-8"><title>Too many wrong passwords</title><body>' +
        '<h1>Too many wrong passwords</h1>' +
        `<p>They came from your address. Go back and try again in ${seconds} seconds.</p></body></html>\n`,
    );
}
