import type { CatalogueImage } from '../../image.ts';

export const userBase: CatalogueImage = {
  name: 'user-base',
  role: 'ours',
  upstream: null,
  version: '0.1.0',
  licence: 'Apache-2.0 AND PSF-2.0 AND GPL-3.0-or-later',
  answers: ['ghcr.io/neuro-inc/base'],
  tags: ['latest', 'v25.3.0-runtime', 'v22.5.0-runtime'],
  standIn: null,
  build: { kind: 'folder', on: 'base' },
};
