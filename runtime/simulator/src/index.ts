export * from './job-outcome.ts';
export * from './metrics.ts';
export { PLACEMENTS } from './placements.ts';
export { comparison, htmlReport } from './report.ts';
export * from './simulate.ts';
export { type Summary, summary } from './summary.ts';
export * from './swf.ts';
export * from './workload.ts';
export * from './workload-faults.ts';
