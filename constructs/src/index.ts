export * from './catalogue.ts';
export * from './names.ts';
export * from './synthesis.ts';
export * from './synthesize.ts';
