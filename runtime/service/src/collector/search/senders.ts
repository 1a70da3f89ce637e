import { createHash } from 'node:crypto';
import { z } from 'zod';
import { ask, type LineLabels, type LogSink, type SearchLine, type SinkAddress, STREAM_LABELS } from './sink.ts';

const NDJSON = 'application/x-ndjson';
const lineOf = (value: object): string => `${JSON.stringify(value)}\n`;

const newestRow = z.object({ newest: z.string() });

/**
 * VictoriaLogs by JSON lines.
 * @see https://docs.victoriametrics.com/victorialogs/data-ingestion/#json-stream-api
 */
export function victoriaLogs(address: SinkAddress): LogSink {
  return {
    name: 'victoria-logs',
    send: async (lines) => {
      const body = lines.map((line) =>
        lineOf({ _time: line.time, _msg: line.text, output: line.output, ...line.labels }),
      );
      await ask(address, '/insert/jsonline', body.join(''), {
        type: NDJSON,
        query: { _stream_fields: STREAM_LABELS.join(',') },
      });
    },
    newest: async (labels) => {
      const query = `${filterOf(labels)} | stats max(_time) as newest`;
      const form = new URLSearchParams({ query, start: '2000-01-01T00:00:00Z' });
      const answer = await ask(address, '/select/logsql/query', form.toString(), {
        type: 'application/x-www-form-urlencoded',
      });
      const row = newestRow.safeParse(answer.trim() === '' ? undefined : JSON.parse(answer.trim()));
      return row.success && row.data.newest !== '' ? row.data.newest : undefined;
    },
  };
}

/** @see https://docs.victoriametrics.com/victorialogs/logsql/#stream-filter */
const filterOf = ({ pod_uid: uid, ...labels }: LineLabels): string =>
  `{${STREAM_LABELS.map((name) => `${name}=${JSON.stringify(labels[name])}`).join(',')}} pod_uid:=${JSON.stringify(uid)}`;

/**
 * Loki's push API. Loki itself keeps one of equal lines with equal times in a stream.
 * @see https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs
 */
export function loki(address: SinkAddress): LogSink {
  return {
    name: 'loki',
    send: async (lines) => {
      const streams = [...Map.groupBy(lines, ({ labels }) => labels)].map(([labels, of]) => ({
        stream: Object.fromEntries(STREAM_LABELS.map((name) => [name, labels[name]])),
        values: of.map((line) => [
          nanosecondsOf(line.time),
          line.text,
          { output: line.output, ...furtherLabels(labels) },
        ]),
      }));
      await ask(address, '/loki/api/v1/push', JSON.stringify({ streams }), { type: 'application/json' });
    },
  };
}

const furtherLabels = (labels: LineLabels): object =>
  Object.fromEntries(Object.entries(labels).filter(([name]) => !STREAM_LABELS.some((each) => each === name)));

/** Since 1970, as digits: more than a number holds. */
export function nanosecondsOf(time: string): string {
  const [whole = '', fraction = ''] = time.replace(/(Z|[+-]\d\d:\d\d)$/, '').split('.');
  const zone = /(Z|[+-]\d\d:\d\d)$/.exec(time)?.[1] ?? 'Z';
  return `${Math.floor(Date.parse(`${whole}${zone}`) / 1_000)}${fraction.padEnd(9, '0').slice(0, 9)}`;
}

const bulkAnswer = z.object({
  errors: z.boolean(),
  items: z.array(z.record(z.string(), z.looseObject({ status: z.number() }))).default([]),
});
/** A document with this id is there already. */
const CONFLICT = 409;

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
      const answer = bulkAnswer.parse(JSON.parse(await ask(address, '/_bulk', body.join(''), { type: NDJSON })));
      const refused = answer.items.flatMap((item) => Object.values(item)).filter(({ status }) => status > 299);
      const first = refused.find(({ status }) => status !== CONFLICT);
      if (answer.errors && first !== undefined)
        throw new Error(`it refused lines: ${JSON.stringify(first).slice(0, 200)}`);
    },
  };
}

const idOf = ({ time, text, output, labels }: SearchLine): string =>
  createHash('sha256')
    .update([labels.pod_uid, labels.container, output, time, text].join('\n'))
    .digest('base64url')
    .slice(0, 32);
