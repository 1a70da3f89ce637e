import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { DelosError, jobFacts, jobId, logPosition } from '@delos/core';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Counter } from 'prom-client';
import { z } from 'zod';
import { checkTexts } from '../../edge/text.ts';
import type { AppendOutcome } from '../../logs/log-store.ts';
import type { ApiDeps } from '../deps.ts';
import type { AgentHub } from './hub.ts';
import type { Principal } from './tokens.ts';

const inflate = promisify(gunzip);
/** Of a body, both compressed and unpacked. A collector sends at most half of it. */
const MAX_BYTES = 4 * 2 ** 20;

const flag = z.enum(['true', 'false']).transform((text) => text === 'true');
const params = z.object({ job: jobId });
const where = z.object({ pod: z.string().min(1).max(64), attempt: z.coerce.number().int().nonnegative() });
const append = where.extend({
  offset: z.coerce.number().int().nonnegative(),
  skipped: z.coerce.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER).default(0),
  lost: flag.default(false),
  missing: z.coerce.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER).optional(),
  cursor: z.string().max(512).nullable().default(null),
  final: flag.default(false),
  complete: flag.default(true),
});

interface IngestProps {
  /** Below which the endpoints are. */
  readonly prefixes: readonly string[];
  readonly principalOf: (request: FastifyRequest) => Principal;
}

/** Where collectors bring container logs to, and ask how far they are. */
export function ingestRoutes(
  app: FastifyInstance,
  deps: ApiDeps,
  hub: AgentHub,
  { prefixes, principalOf }: IngestProps,
): void {
  const received = new Counter({
    name: 'delos_api_log_bytes_total',
    help: 'Container log bytes archived, before compression',
    registers: [deps.metrics],
  });
  /** A job of another cluster is none. */
  const jobOf = async (request: FastifyRequest): Promise<string> => {
    const { job } = parse(params, request.params);
    const row = await deps.database.db
      .selectFrom('jobs')
      .select('id')
      .where('id', '=', job)
      .where('cluster', '=', principalOf(request).cluster)
      .executeTakeFirst();
    if (row === undefined) throw unknownLog(job);
    return job;
  };
  const tell = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const { pod, attempt } = parse(where, request.query);
    const job = await jobOf(request);
    const position = await deps.logs.position({ jobId: job, podUid: pod, attempt });
    if (position === undefined) throw unknownLog(job);
    return reply.send(logPosition.parse(position));
  };
  const facts = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const job = await jobOf(request);
    const row = await deps.database.db
      .selectFrom('jobs')
      .select(['org as organization', 'project', 'owner as user'])
      .where('id', '=', job)
      .executeTakeFirst();
    if (row === undefined) throw unknownLog(job);
    return reply.send(jobFacts.parse(row));
  };
  const take = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const job = await jobOf(request);
    const { pod, attempt, offset, skipped, lost, missing, cursor, final, complete } = parse(append, request.query);
    const key = { jobId: job, podUid: pod, attempt };
    const gzip = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
    let outcome: AppendOutcome;
    let end = offset;
    if (gzip.length > 0) {
      const bytes = await unpack(gzip);
      end += skipped + bytes.length;
      outcome = await deps.logs.append(key, {
        offset,
        skipped,
        lost,
        ...(missing === undefined ? {} : { missing }),
        length: bytes.length,
        gzip,
        cursor,
      });
      if (outcome?.accepted === true) {
        received.inc(bytes.length);
        // After a gap, readers take the bytes from the store, which tells what was lost.
        if (!lost) hub.tails.publish(job, { attempt: outcome.attempt, start: offset + skipped, bytes });
      }
    } else outcome = await finishOrAsk();
    if (gzip.length > 0 && final && outcome?.accepted === true) outcome = await finishOrAsk();
    if (outcome === undefined) throw unknownLog(job);
    return reply.code(outcome.accepted ? 200 : 409).send(logPosition.parse(outcome.position));

    async function finishOrAsk(): Promise<AppendOutcome> {
      if (final) return deps.logs.finish(key, { offset: end, complete, missing: missing ?? 0 });
      const position = await deps.logs.position(key);
      return position === undefined ? undefined : { accepted: true, position, attempt: position.attempt };
    }
  };
  for (const prefix of prefixes) {
    app.get(`${prefix}/logs/:job`, tell);
    app.get(`${prefix}/logs/:job/facts`, facts);
    app.post(`${prefix}/logs/:job`, { bodyLimit: MAX_BYTES }, take);
  }
}

async function unpack(gzip: Buffer): Promise<Buffer> {
  try {
    return await inflate(gzip, { maxOutputLength: MAX_BYTES });
  } catch (cause) {
    throw new DelosError('ERR_REQUEST', 'the body is not one gzip member of at most 4 MiB', { cause });
  }
}

function unknownLog(job: string): DelosError {
  return new DelosError('ERR_NOT_FOUND', `${job} has no such Pod`);
}

function parse<T extends z.ZodType>(shape: T, value: unknown): z.infer<T> {
  checkTexts(value);
  const parsed = shape.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new DelosError('ERR_REQUEST', issue?.message ?? 'not valid', { where: { field: issue?.path.join('.') ?? '' } });
}
