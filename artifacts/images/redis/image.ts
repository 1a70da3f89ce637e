import type { CatalogueImage } from '../../image.ts';

export const redis: CatalogueImage = {
  name: 'redis',
  role: 'service',
  upstream: 'docker.io/valkey/valkey:9.1.1',
  // Of the local build on Debian 12, whose Redis is free software. Later releases of Debian have Valkey, its continuation.
  version: '7.0.15',
  licence: 'BSD-3-Clause',
  answers: [],
  tags: [],
  standIn: null,
  build: { kind: 'folder', on: 'base' },
};
