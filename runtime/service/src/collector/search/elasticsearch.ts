import { createHash } from 'node:crypto';
import { z } from 'zod';
import { ask, type LogSink, type SearchLine, type SinkAddress } from './sink.ts';

const NDJSON = 'application/x-ndjson';
const lineOf = (value: object): string => `${JSON.stringify(value)}\n`;

const bulkAnswer = z.object({
  errors: z.boolean(),
  items: z.array(z.record(z.string(), z.looseObject({ status: z.number() }))).default([]),
});
/** A document with this id is there already. */
const CONFLICT = 409;
/** A document that it will never take, such as one whose fields have other types than those of its index. */
const REFUSED = 400;

/**
 * The bulk API of Elasticsearch and OpenSearch. A line's id follows from what it is: sent again, it is refused as known.
 * @see https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk
 */
export function elasticsearch(address: SinkAddress, index: string): LogSink {
  return {
    name: 'elasticsearch',
    send: async (lines) => {
      const body = lines.map(
        (line) =>
          lineOf({ create: { _index: index, _id: idOf(line) } }) +
          lineOf({ '@timestamp': line.time, message: line.text, output: line.output, ...line.labels }),
      );
      const answer = bulkAnswer.parse(JSON.parse(await ask(address, '/_bulk', { type: NDJSON }, body.join(''))));
      if (!answer.errors) return undefined;
      const failed = answer.items.flatMap((item) => Object.values(item)).filter(({ status }) => status > 299);
      const later = failed.find(({ status }) => status !== CONFLICT && status !== REFUSED);
      if (later !== undefined) throw new Error(`it did not take lines: ${JSON.stringify(later).slice(0, 200)}`);
      const refused = failed.filter(({ status }) => status === REFUSED);
      if (refused.length === 0) return undefined;
      return { lines: refused.length, why: JSON.stringify(refused[0]).slice(0, 200) };
    },
  };
}

const idOf = ({ time, text, output, labels }: SearchLine): string =>
  createHash('sha256')
    .update([labels.pod_uid, labels.container, output, time, text].join('\n'))
    .digest('base64url')
    .slice(0, 32);
