/** Where the Pods of a service answer for their metrics, in Prometheus' text format. */
export interface Metrics {
  /** Name of the port of its workload. */
  readonly port: string;
  /** Path there. @default /metrics */
  readonly path?: string;
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
