import type { IncomingMessage } from 'node:http';
import { DelosError, type PlatformConfig } from '@delos/core';
import type { FastifyInstance } from 'fastify';
import type { Cache } from '../cache/cache.ts';
import { RateLimits } from './rate-limits.ts';
import { sourceOf } from './source.ts';

/** How often the API may be asked: by one address, before anything else is looked at, and by one user. */
export class RequestLimits {
  readonly #sources: RateLimits;
  readonly #users: RateLimits;

  constructor({ ofSource, ofUser }: PlatformConfig['requests'], cache: Cache) {
    this.#sources = new RateLimits('source', ofSource, { cache });
    this.#users = new RateLimits('user', ofUser, { cache });
  }

  /** @throws DelosError ERR_TOO_MANY_REQUESTS */
  async ofSource(address: string): Promise<void> {
    const source = sourceOf(address);
    refuse(await this.#sources.take(source), `the address ${source}`);
  }

  /** @throws DelosError ERR_TOO_MANY_REQUESTS */
  async ofUser({ id, user }: { readonly id: number; readonly user: string }): Promise<void> {
    refuse(await this.#users.take(String(id)), user);
  }
}

function refuse(waitMs: number, who: string): void {
  if (waitMs <= 0) return;
  const retryAfter = Math.ceil(waitMs / 1000);
  throw new DelosError('ERR_TOO_MANY_REQUESTS', `${who} asks too often`, {
    hint: `try again in ${retryAfter} s, and pause between requests`,
    data: { retryAfter },
  });
}

/** Counts every request of the listener by its source, before its token or its body is looked at. */
export function limitSources(app: FastifyInstance, { requests }: { readonly requests: RequestLimits }): void {
  app.addHook('onRequest', (request) => requests.ofSource(request.ip));
}

/** Where a handshake comes from: as Fastify reads it of a request, from the gateway's header. */
export function addressOf({ headers, socket }: Pick<IncomingMessage, 'headers' | 'socket'>): string {
  const [first = ''] = [headers['x-forwarded-for'] ?? []].flat().join(',').split(',');
  return first.trim() === '' ? (socket.remoteAddress ?? '') : first.trim();
}
