import { readFileSync } from 'node:fs';
import type { LogSinkSettings } from '@delos/core';
import { Gauge, type Registry } from 'prom-client';
import { elasticsearch, loki, victoriaLogs } from './senders.ts';
import { Shipper, type ShipperProps } from './shipper.ts';
import type { LogSink } from './sink.ts';

const INDEX = 'delos-logs';

/** @throws Error where the file of its secret cannot be read */
export function sinkOf({ kind, url, user, secretFile, index = INDEX }: LogSinkSettings): LogSink {
  const secret = secretFile === undefined ? undefined : readFileSync(secretFile, 'utf8').trim();
  const address = { url, user, secret };
  if (kind === 'loki') return loki(address);
  return kind === 'elasticsearch' ? elasticsearch(address, index) : victoriaLogs(address);
}

/** Brings lines to each of these stores, each at its own pace. @returns ends when `signal` aborts */
export async function ship(
  sinks: readonly LogSinkSettings[],
  props: Omit<ShipperProps, 'sink'>,
  metrics: Registry,
  signal: AbortSignal,
): Promise<void> {
  const shippers = sinks.map((settings) => ({
    url: settings.url,
    shipper: new Shipper({ ...props, sink: sinkOf(settings) }),
  }));
  if (shippers.length > 0) searchMetrics(shippers, metrics);
  await Promise.all(shippers.map(({ shipper }) => shipper.run(signal)));
}

function searchMetrics(
  shippers: readonly { readonly url: string; readonly shipper: Shipper }[],
  registry: Registry,
): void {
  const registers = [registry];
  const labelNames = ['sink'];
  new Gauge({
    name: 'delos_collector_search_lines',
    help: 'Lines that were brought to where logs are searched, since the start',
    labelNames,
    registers,
    collect() {
      for (const { url, shipper } of shippers) this.set({ sink: new URL(url).host }, shipper.sent);
    },
  });
  new Gauge({
    name: 'delos_collector_search_failing_seconds',
    help: 'For how long the place where logs are searched has taken no lines',
    labelNames,
    registers,
    collect() {
      for (const { url, shipper } of shippers) this.set({ sink: new URL(url).host }, shipper.failingSeconds);
    },
  });
}
