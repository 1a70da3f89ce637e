export * from './file-lock.ts';
export * from './files.ts';
export * from './guard.ts';
export * from './lock.ts';
export * from './loopback-port.ts';
export * from './offline.ts';
export * from './processes.ts';
export * from './run.ts';
