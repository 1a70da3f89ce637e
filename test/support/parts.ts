/** Real parts that benches borrow. */
export { bakeIn, type FlowClient, flowClient } from './bakes/flow-client.ts';
export { type FilesOnApi, filesOnApi } from './files/file-storage.ts';
export { startIssuer, type TestIssuer } from './service/control-api.ts';
export { startPostgres, type TestPostgres } from './service/postgres.ts';
export { until } from './until.ts';
