import type { CatalogueImage } from '../../image.ts';

/** Caddy as its makers publish it: without the transport `watched`. */
export const PUBLISHED_CADDY = 'docker.io/library/caddy:2.11.9';

/** Caddy with a transport of ours (artifacts/go/caddy/watched). */
export const caddy: CatalogueImage = {
  name: 'caddy',
  role: 'ours',
  upstream: null,
  version: '2.11.9',
  licence: 'Apache-2.0',
  answers: [],
  tags: [],
  standIn: null,
  build: { kind: 'tool', on: 'base', tool: 'caddy' },
};
