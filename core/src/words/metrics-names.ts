/*
 * What the control API, the proxy of metrics and whoever draws them must say alike; and where logs are searched.
 */

/** Path of the platform at which the API of Prometheus begins, for the metrics of one's own projects. */
export const METRICS_PATH = '/api/v1/prometheus';
/** Path of the API that says whose metrics a caller may see. */
export const METRICS_RIGHTS = '/api/v1/metrics-rights';
/** Label that says whose a series is: `ORGANIZATION/PROJECT`. */
export const METRICS_LABEL = 'project';
/** Most projects whose metrics one caller may see, but for the administrator, who sees all. */
export const MOST_METRICS_PROJECTS = 1_000;
/** Path of the API that searches in the logs of jobs. */
export const LOG_SEARCH = '/api/v1/log-search';
