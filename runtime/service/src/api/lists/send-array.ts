import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';

/**
 * Sends rows as one JSON array, page by page at the reader's pace: memory is that of one page, however many there are. What fails
 * before the first page is there is an answer of its own.
 */
export async function sendArray<Row>(
  pages: AsyncIterator<readonly Row[]>,
  jsonOf: (row: Row) => unknown,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const first = await pages.next();
  return reply
    .type('application/json; charset=utf-8')
    .send(Readable.from(document(pages, first, jsonOf), { objectMode: true, highWaterMark: 1 }));
}

async function* document<Row>(
  pages: AsyncIterator<readonly Row[]>,
  first: IteratorResult<readonly Row[]>,
  jsonOf: (row: Row) => unknown,
): AsyncGenerator<string> {
  let before = '[';
  for (let page = first; page.done !== true; page = await pages.next()) {
    yield before + page.value.map((row) => JSON.stringify(jsonOf(row))).join(',');
    before = ',';
  }
  yield before === ',' ? ']' : '[]';
}
