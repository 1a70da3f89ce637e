export * from './collector.ts';
export * from './service.ts';
