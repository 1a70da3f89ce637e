import type { LogSinkSettings } from '@delos/core';
import { Counter, Gauge, type Registry } from 'prom-client';
import { liveSecret } from '../../live-secret.ts';
import { elasticsearch } from './elasticsearch.ts';
import { loki } from './loki.ts';
import { Shipper, type ShipperCounts, type ShipperProps } from './shipper.ts';
import type { LogSink } from './sink.ts';
import { victoriaLogs } from './victoria-logs.ts';

const INDEX = 'delos-logs';

/** @throws Error where the file of its secret cannot be read */
export function sinkOf({ kind, url, user, secretFile, index = INDEX }: LogSinkSettings): LogSink {
  const address = { url, user, secret: secretFile === undefined ? undefined : liveSecret(secretFile) };
  if (kind === 'loki') return loki(address);
  return kind === 'elasticsearch' ? elasticsearch(address, index) : victoriaLogs(address);
}

/** Brings lines to each of these stores, each at its own pace. @returns ends when `signal` aborts */
export async function ship(
  sinks: readonly LogSinkSettings[],
  props: Omit<ShipperProps, 'sink' | 'counts'>,
  metrics: Registry,
  signal: AbortSignal,
): Promise<void> {
  if (sinks.length === 0) return;
  const counts = counters(metrics);
  const shippers = sinks.map((settings) => {
    const sink = new URL(settings.url).host;
    return { sink, shipper: new Shipper({ ...props, sink: sinkOf(settings), counts: counts(sink) }) };
  });
  gauges(shippers, metrics);
  await Promise.all(shippers.map(({ shipper }) => shipper.run(signal)));
}

function counters(registry: Registry): (sink: string) => ShipperCounts {
  const counter = (what: string, help: string): Counter<'sink'> =>
    new Counter({
      name: `delos_collector_search_${what}_total`,
      help,
      labelNames: ['sink'],
      registers: [registry],
    });
  const sent = counter('lines', 'Lines that were brought to where logs are searched');
  const resent = counter('resent_lines', 'Lines that were sent once more, since the store lost them or might have');
  const refused = counter('refused_lines', 'Lines that the store refuses for good');
  const lost = counter('lost_bytes', 'Bytes that their node deleted before they were brought there');
  return (sink) => {
    // So that an increase from nothing is seen.
    for (const each of [sent, resent, refused, lost]) each.inc({ sink }, 0);
    return {
      sent: (lines) => sent.inc({ sink }, lines),
      resent: (lines) => resent.inc({ sink }, lines),
      refused: ({ lines }) => refused.inc({ sink }, lines),
      lost: (bytes) => lost.inc({ sink }, bytes),
    };
  };
}

function gauges(shippers: readonly { readonly sink: string; readonly shipper: Shipper }[], registry: Registry): void {
  const gauge = (what: string, help: string, value: (shipper: Shipper) => number): void => {
    new Gauge({
      name: `delos_collector_search_${what}`,
      help,
      labelNames: ['sink'],
      registers: [registry],
      collect() {
        for (const { sink, shipper } of shippers) this.set({ sink }, value(shipper));
      },
    });
  };
  gauge(
    'failing_seconds',
    'For how long the place where logs are searched has taken no lines',
    (shipper) => shipper.failingSeconds,
  );
  gauge(
    'held_bytes',
    'Lines that were sent, and are held until the store must have them on its disk; compressed',
    (shipper) => shipper.heldBytes,
  );
}
