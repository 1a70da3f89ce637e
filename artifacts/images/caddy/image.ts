import type { CatalogueImage } from '../../image.ts';

export const caddy: CatalogueImage = {
  name: 'caddy',
  role: 'service',
  upstream: 'docker.io/library/caddy:2.11.9',
  version: '2.11.9',
  licence: 'Apache-2.0',
  answers: [],
  tags: [],
  standIn: null,
  build: { kind: 'tool', on: 'base', tool: 'caddy' },
};
