import { z } from 'zod';
import { isLater, nanosecondsOf } from './line-time.ts';
import { ask, type LineLabels, type LogSink, type SearchLine, type SinkAddress, STREAM_LABELS } from './sink.ts';

const NDJSON = 'application/x-ndjson';
const FORM = 'application/x-www-form-urlencoded';

const newestRow = z.object({ newest: z.string() });
const hadRow = z.object({ _time: z.string(), _msg: z.string().default(''), output: z.string().default('') });

/**
 * VictoriaLogs by JSON lines. It holds what it takes in memory for some seconds, and keeps equal lines twice.
 * @see https://docs.victoriametrics.com/victorialogs/data-ingestion/#json-stream-api
 */
export function victoriaLogs(address: SinkAddress): LogSink {
  const rows = async (query: string): Promise<readonly unknown[]> => {
    const form = new URLSearchParams({ query, start: '2000-01-01T00:00:00Z' });
    const answer = await ask(address, '/select/logsql/query', { type: FORM }, form.toString());
    return answer.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]));
  };
  return {
    name: 'victoria-logs',
    send: async (lines) => {
      const body = lines.map(
        ({ time, output, labels, ...line }) =>
          `${JSON.stringify({ _time: time, _msg: messageOf(line), output, ...labels })}\n`,
      );
      const question = { type: NDJSON, query: { _stream_fields: STREAM_LABELS.join(',') } };
      await ask(address, '/insert/jsonline', question, body.join(''));
      // What is too old it takes and drops; its own metrics count that.
      return undefined;
    },
    recall: {
      // To the second: two within one would look like one, but no Pod becomes ready twice in that time.
      incarnation: async () => {
        const started = /^process_start_time_seconds (\S+)$/m.exec(await ask(address, '/metrics'))?.[1];
        if (started === undefined) throw new Error('it does not say when it started');
        return started;
      },
      settle: async () => {
        await ask(address, '/internal/force_flush');
      },
      newest: async (labels) => {
        const [row] = await rows(`${filterOf(labels)} | stats max(_time) as newest`);
        const parsed = newestRow.safeParse(row);
        return parsed.success && parsed.data.newest !== '' ? parsed.data.newest : undefined;
      },
      lacking: async (lines) => {
        const lacking: SearchLine[] = [];
        for (const [, of] of Map.groupBy(lines, ({ labels }) => `${labels.pod_uid} ${labels.container}`)) {
          const range = rangeOf(of);
          if (range === undefined) continue;
          const { labels, first, last } = range;
          const had = await rows(`${filterOf(labels)} _time:[${first}, ${last}] | fields _time, _msg, output`);
          lacking.push(...without(of, had));
        }
        return lacking;
      },
    },
  };
}

/** It takes no line without a text. */
const messageOf = ({ text }: { readonly text: string }): string => (text === '' ? ' ' : text);

/** @see https://docs.victoriametrics.com/victorialogs/logsql/#stream-filter */
const filterOf = ({ pod_uid: uid, ...labels }: LineLabels): string =>
  `{${STREAM_LABELS.map((name) => `${name}=${JSON.stringify(labels[name])}`).join(',')}} pod_uid:=${JSON.stringify(uid)}`;

function rangeOf(
  lines: readonly SearchLine[],
): { readonly labels: LineLabels; readonly first: string; readonly last: string } | undefined {
  const [one] = lines;
  if (one === undefined) return undefined;
  let first = one.time;
  let last = one.time;
  for (const { time } of lines) {
    if (isLater(first, time)) first = time;
    if (isLater(time, last)) last = time;
  }
  return { labels: one.labels, first, last };
}

/** The lines less those that it had, each as often as it had it. */
function without(lines: readonly SearchLine[], had: readonly unknown[]): readonly SearchLine[] {
  const counts = new Map<string, number>();
  const key = (time: string, output: string, message: string): string => `${nanosecondsOf(time)} ${output} ${message}`;
  for (const row of had) {
    const { _time: time, _msg: message, output } = hadRow.parse(row);
    const each = key(time, output, message);
    counts.set(each, (counts.get(each) ?? 0) + 1);
  }
  return lines.filter((line) => {
    const each = key(line.time, line.output, messageOf(line));
    const left = counts.get(each) ?? 0;
    counts.set(each, left - 1);
    return left <= 0;
  });
}
