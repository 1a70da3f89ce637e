import type { CatalogueImage } from '../../image.ts';

export const debian: CatalogueImage = {
  name: 'debian',
  role: 'stand-in',
  upstream: 'docker.io/library/debian:bookworm-slim',
  version: '12',
  licence: 'GPL-3.0-or-later AND LGPL-2.1-or-later AND MIT',
  answers: ['docker.io/library/debian'],
  tags: ['bookworm', 'bookworm-slim', '12', '12-slim', 'latest'],
  standIn: 'Debian 12 (bookworm), made by mmdebstrap from Debian’s packages',
  build: { kind: 'folder', on: 'base' },
};
