/** Where the Pods of a service answer for their metrics, in Prometheus' text format. */
export interface Metrics {
  /** Name of the port of its workload. */
  readonly port: string;
  /** Path there. @default /metrics */
  readonly path?: string;
  /** No node may be one that it runs on, so that it is not missed where there is no Pod of it. @default false */
  readonly nowhere?: boolean;
}

/** How much somebody should mind. `critical`: somebody has to look now. `warning`: within the day. */
export type Severity = 'warning' | 'critical';

/** A rule by which something is found to be wrong. */
export interface Alert {
  /**
   * Its name, in words that begin with a capital: `QueueStuck`. What to do about it is on the page of this name in
   * docs/runbooks.
   */
  readonly name: string;
  /** How much somebody should mind. */
  readonly severity: Severity;
  /**
   * What is wrong, in PromQL: each series that it gives is one alert.
   * @see https://prometheus.io/docs/prometheus/latest/querying/basics/
   */
  readonly expr: string;
  /** How long it has to be so, as Prometheus writes it: `5m`. */
  readonly for: string;
  /** One sentence for people: what is wrong. `{{ $labels.job }}` is a label of the series. */
  readonly summary: string;
}

/*
 * Terminology: a *dashboard* is a page of *panels*, each of which draws *series*: what Prometheus answers to a query. All of it is
 * data of ours, which says nothing of the program that draws it.
 */

/** What the numbers of a panel are. */
export type Unit =
  | 'count'
  | 'per-second'
  | 'seconds'
  | 'bytes'
  | 'bytes-per-second'
  | 'cores'
  | 'ratio'
  | 'celsius'
  | 'watts';

/** A query, and what its series are called. */
export interface Series {
  /**
   * PromQL. Rates are over five minutes, so that they need no variable of the program that draws them.
   * @see https://prometheus.io/docs/prometheus/latest/querying/basics/
   */
  readonly expr: string;
  /** Name of a series: `{{pool}}` is its label. */
  readonly legend: string;
}

/** One drawing. */
export interface Panel {
  /** What it shows, in a few words. */
  readonly title: string;
  /** What its numbers are. */
  readonly unit: Unit;
  /** `lines`: over time. `now`: the last values alone. @default lines */
  readonly kind?: 'lines' | 'now';
  /** What is drawn. */
  readonly series: readonly Series[];
  /** When it shows nothing though all is well. @default it always shows something once its part has run for some minutes */
  readonly emptyUnless?: string;
}

/** A page of panels. */
export interface Dashboard {
  /** Its name in addresses and files: lower case and dashes. */
  readonly name: string;
  /** Its heading. */
  readonly title: string;
  /** What one sees there, in one sentence. */
  readonly idea: string;
  /** Who reads it. `platform`: those who look after the platform. `everybody`: all users, each for the own projects. */
  readonly audience: 'platform' | 'everybody';
  /** In the order in which they are read. */
  readonly panels: readonly Panel[];
}
