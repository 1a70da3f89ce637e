/** Real parts that benches borrow. */
export { type FilesOnApi, filesOnApi } from './files/file-storage.ts';
export { startIssuer, type TestIssuer } from './service/control-api.ts';
export { startPostgres, type TestPostgres } from './service/postgres.ts';
export { until } from './until.ts';
