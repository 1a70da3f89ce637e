export * from './catalogue.ts';
export * from './synthesis.ts';
