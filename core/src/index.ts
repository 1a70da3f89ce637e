export * from './agent-protocol.ts';
export * from './config.ts';
export * from './error-codes.ts';
export * from './errors.ts';
export * from './identity.ts';
export * from './instance.ts';
export * from './job.ts';
export * from './progress.ts';
