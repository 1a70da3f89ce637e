import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { httpError } from '../../http-errors.ts';
import type { JobPage } from './list.ts';

type Pages = AsyncIterator<JobPage>;

/**
 * Sends jobs page by page, at the reader's pace: one page is in memory. `lines` is NDJSON, where an error that comes after
 * the first page is a line of its own; `document` is one JSON object, which such an error cuts off. What one page holds is sent at once.
 */
export async function sendJobs(pages: Pages, form: 'lines' | 'document', reply: FastifyReply): Promise<FastifyReply> {
  // What fails before the first page is there is an answer of its own.
  const first = await pages.next();
  const shape = form === 'lines' ? LINES : DOCUMENT;
  void reply.type(shape.type);
  const texts = first.done === true ? [] : first.value.texts;
  if (first.done === true || !first.value.more) return reply.send(shape.whole(texts));
  return reply.send(
    Readable.from(form === 'lines' ? lines(pages, texts, reply) : document(pages, texts), {
      objectMode: true,
      highWaterMark: 1,
    }),
  );
}

const NEWLINE = Buffer.from('\n');
const COMMA = Buffer.from(',');
const BEGIN = Buffer.from('{"jobs":[');
const END = Buffer.from(']}');

const LINES = {
  type: 'application/x-ndjson',
  whole: (texts: readonly Buffer[]): Buffer => Buffer.concat(texts.flatMap((text) => [text, NEWLINE])),
};
const DOCUMENT = {
  type: 'application/json; charset=utf-8',
  whole: (texts: readonly Buffer[]): Buffer => Buffer.concat([BEGIN, joined(texts), END]),
};

const joined = (texts: readonly Buffer[]): Buffer =>
  Buffer.concat(texts.flatMap((text, nth) => (nth === 0 ? [text] : [COMMA, text])));

async function* lines(pages: Pages, first: readonly Buffer[], reply: FastifyReply): AsyncGenerator<Buffer> {
  try {
    for await (const texts of from(pages, first)) yield LINES.whole(texts);
  } catch (error) {
    reply.log.error({ error }, 'listing jobs failed');
    yield Buffer.from(`${JSON.stringify({ error: httpError(error).body.error })}\n`);
  }
}

async function* document(pages: Pages, first: readonly Buffer[]): AsyncGenerator<Buffer> {
  let before = BEGIN;
  for await (const texts of from(pages, first)) {
    yield Buffer.concat([before, joined(texts)]);
    before = COMMA;
  }
  yield END;
}

async function* from(pages: Pages, first: readonly Buffer[]): AsyncGenerator<readonly Buffer[]> {
  if (first.length > 0) yield first;
  for (let page = await pages.next(); page.done !== true; page = await pages.next()) {
    if (page.value.texts.length > 0) yield page.value.texts;
  }
}
