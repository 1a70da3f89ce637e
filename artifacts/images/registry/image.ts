import type { CatalogueImage } from '../../image.ts';

export const registry: CatalogueImage = {
  name: 'registry',
  role: 'service',
  upstream: 'docker.io/distribution/distribution:3.1.2',
  version: '3.1.2',
  licence: 'Apache-2.0',
  answers: [],
  tags: [],
  standIn: null,
  build: { kind: 'tool', on: 'base', tool: 'registry' },
};
