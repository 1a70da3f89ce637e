import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { RawBuilder, SelectQueryBuilder } from 'kysely';
import type { Db, Schema } from '../../db/schema.ts';
import { nextLimit, type Sized, withinBytes } from '../../db/within-bytes.ts';
import { httpError } from '../http-errors.ts';
import { sendArray } from '../lists/send-array.ts';

/** Bytes of the rows of one read: what listing takes in memory, whatever they hold. */
const PAGE_BYTES = 256 * 1024;

/**
 * Rows page by page, as many as fit into memory.
 * @param order of the query; it ends in a unique column
 * @param after the query's rows after one, or from the beginning
 */
export async function* pagesOf<O, Table extends keyof Schema>(
  db: Db,
  order: RawBuilder<unknown>,
  after: (last: O | undefined) => SelectQueryBuilder<Schema, Table, Sized<O>>,
): AsyncGenerator<readonly O[]> {
  let before: { readonly limit: number; readonly rows: number } | undefined;
  for (let last: O | undefined; ; ) {
    const limit = nextLimit(before);
    const { rows, more } = await withinBytes<O, Table>(db, after(last).orderBy(order).limit(limit), {
      order,
      limit,
      budget: PAGE_BYTES,
    });
    if (rows.length > 0) yield rows;
    last = rows.at(-1);
    if (!more || last === undefined) return;
    before = { limit, rows: rows.length };
  }
}

/**
 * Sends rows as the caller asks: one JSON object a line, or one array. An error that comes after the first line is a line
 * of its own.
 */
export async function sendList<Row>(
  request: FastifyRequest,
  reply: FastifyReply,
  pages: AsyncIterator<readonly Row[]>,
  jsonOf: (row: Row) => unknown,
): Promise<FastifyReply> {
  if (!(request.headers.accept ?? '').includes('application/x-ndjson')) return sendArray(pages, jsonOf, reply);
  const first = await pages.next();
  return reply
    .type('application/x-ndjson')
    .send(Readable.from(lines(pages, first, jsonOf, reply), { objectMode: true, highWaterMark: 1 }));
}

/** Nothing: an empty list. */
export async function* noRows<Row>(): AsyncGenerator<readonly Row[]> {}

async function* lines<Row>(
  pages: AsyncIterator<readonly Row[]>,
  first: IteratorResult<readonly Row[]>,
  jsonOf: (row: Row) => unknown,
  reply: FastifyReply,
): AsyncGenerator<string> {
  try {
    for (let page = first; page.done !== true; page = await pages.next()) {
      yield page.value.map((row) => `${JSON.stringify(jsonOf(row))}\n`).join('');
    }
  } catch (error) {
    reply.log.error({ error }, 'a list of flows broke off');
    yield `${JSON.stringify({ error: httpError(error).body.error })}\n`;
  }
}
