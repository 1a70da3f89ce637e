import { nanosecondsOf } from './line-time.ts';
import { ask, type LineLabels, type LogSink, type SinkAddress, STREAM_LABELS, StoreAnswer } from './sink.ts';

/** It has taken what it could, and will not take the rest: lines that are too old, too long, or of too many labels. */
const REFUSED = 400;

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
      try {
        await ask(address, '/loki/api/v1/push', { type: 'application/json' }, JSON.stringify({ streams }));
        return undefined;
      } catch (error) {
        // It does not say which: at most these.
        if (error instanceof StoreAnswer && error.status === REFUSED) {
          return { lines: lines.length, why: error.message };
        }
        throw error;
      }
    },
  };
}

const furtherLabels = (labels: LineLabels): object =>
  Object.fromEntries(Object.entries(labels).filter(([name]) => !STREAM_LABELS.some((each) => each === name)));
