import type { CatalogueImage } from '../../image.ts';

export const runtime: CatalogueImage = {
  name: 'runtime',
  role: 'ours',
  upstream: null,
  version: '0.2.0',
  licence: 'Apache-2.0 AND MIT',
  answers: [],
  tags: [],
  standIn: null,
  build: { kind: 'bundle', on: 'base', entry: 'runtime/service' },
};
