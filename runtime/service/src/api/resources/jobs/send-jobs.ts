import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { httpError } from '../../http-errors.ts';
import type { JobNames } from './job-urls.ts';
import { jobJson } from './json.ts';
import type { ListedJob } from './list.ts';

type Pages = AsyncIterator<readonly ListedJob[]>;

/**
 * Sends jobs page by page, at the reader's pace: one page is in memory. `lines` is NDJSON, where an error that comes after
 * the first page is a line of its own; `document` is one JSON object, which such an error cuts off.
 */
export async function sendJobs(
  pages: Pages,
  form: 'lines' | 'document',
  { reply, names }: { readonly reply: FastifyReply; readonly names: JobNames },
): Promise<FastifyReply> {
  // What fails before the first page is there is an answer of its own.
  const first = await pages.next();
  const text =
    form === 'lines' ? lines(pages, first, { reply, text: textOf(names) }) : document(pages, first, textOf(names));
  return reply
    .type(form === 'lines' ? 'application/x-ndjson' : 'application/json; charset=utf-8')
    .send(Readable.from(text, { objectMode: true, highWaterMark: 1 }));
}

async function* lines(
  pages: Pages,
  first: IteratorResult<readonly ListedJob[]>,
  { reply, text }: { readonly reply: FastifyReply; readonly text: TextOf },
): AsyncGenerator<string> {
  try {
    for await (const page of from(pages, first)) yield page.map((job) => `${text(job)}\n`).join('');
  } catch (error) {
    reply.log.error({ error }, 'listing jobs failed');
    yield `${JSON.stringify({ error: httpError(error).body.error })}\n`;
  }
}

async function* document(
  pages: Pages,
  first: IteratorResult<readonly ListedJob[]>,
  text: TextOf,
): AsyncGenerator<string> {
  let before = '{"jobs":[';
  for await (const page of from(pages, first)) {
    yield before + page.map(text).join(',');
    before = ',';
  }
  yield before === ',' ? ']}' : `${before}]}`;
}

async function* from(pages: Pages, first: IteratorResult<readonly ListedJob[]>): AsyncGenerator<readonly ListedJob[]> {
  for (let page = first; page.done !== true; page = await pages.next()) yield page.value;
}

type TextOf = (job: ListedJob) => string;

const textOf =
  (names: JobNames): TextOf =>
  ({ row, transitions }) =>
    JSON.stringify(jobJson(row, transitions, names));
