import { DashboardBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as LinesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
import type { Dashboard, Panel, Unit } from '../../base/metrics.ts';
import { DATA_SOURCE } from './settings.ts';

/** Grafana's name of each unit. @see https://github.com/grafana/grafana/blob/main/packages/grafana-data/src/valueFormats/categories.ts */
const UNITS: Readonly<Record<Unit, string>> = {
  count: 'short',
  'per-second': 'ops',
  seconds: 's',
  bytes: 'bytes',
  'bytes-per-second': 'binBps',
  cores: 'short',
  ratio: 'percentunit',
  celsius: 'celsius',
  watts: 'watt',
};

/** Of a row: Grafana's page is 24 wide. */
const SIZE = { width: 12, height: 8 } as const;
const SOURCE = { type: 'prometheus', uid: DATA_SOURCE } as const;
/** The letters of queries. */
const letter = (nth: number): string => String.fromCharCode('A'.charCodeAt(0) + nth);

/** A dashboard as Grafana reads it. */
export function dashboardJson({ name, title, idea, panels }: Dashboard): string {
  const page = new DashboardBuilder(title)
    .uid(`delos-${name}`)
    .description(idea)
    .tags(['delos'])
    .readonly()
    .refresh('1m')
    .time({ from: 'now-6h', to: 'now' });
  for (const panel of panels) page.withPanel(panelBuilder(panel));
  return `${JSON.stringify(page.build(), null, 1)}\n`;
}

function panelBuilder({ title, unit, kind = 'lines', series, emptyUnless }: Panel): LinesBuilder | StatBuilder {
  const panel = kind === 'lines' ? new LinesBuilder() : new StatBuilder();
  panel.title(title).unit(UNITS[unit]).datasource(SOURCE).span(SIZE.width).height(SIZE.height);
  if (unit === 'ratio') panel.min(0).max(1);
  if (emptyUnless !== undefined) panel.noValue('nothing').description(`Shows nothing unless ${emptyUnless}.`);
  for (const [nth, { expr, legend }] of series.entries()) {
    const query = new DataqueryBuilder().refId(letter(nth)).expr(expr).legendFormat(legend).datasource(SOURCE);
    panel.withTarget(kind === 'now' ? query.instant() : query.range());
  }
  return panel;
}
