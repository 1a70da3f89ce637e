import type { CatalogueImage } from '../../image.ts';

export const redis: CatalogueImage = {
  name: 'redis',
  role: 'service',
  upstream: 'docker.io/valkey/valkey:9.1.1',
  // The local build takes Redis 7.0 of Debian 12, which is free software. Later releases of Debian have its successor, Valkey.
  version: '7.0.15',
  licence: 'BSD-3-Clause',
  answers: [],
  tags: [],
  standIn: null,
  build: { kind: 'folder', on: 'base' },
};
