export * from './base/names.ts';
export * from './base/route.ts';
export * from './base/service.ts';
export * from './profiles.ts';
export * from './public-url.ts';
export * from './services.ts';
export * from './synthesis.ts';
export * from './synthesize.ts';
