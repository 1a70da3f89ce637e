export * from './names.ts';
export * from './profiles.ts';
export * from './public-url.ts';
export * from './synthesis.ts';
export * from './synthesize.ts';
