import type { CatalogueImage } from '../../image.ts';

export const imageSaver: CatalogueImage = {
  name: 'image-saver',
  role: 'ours',
  upstream: null,
  version: '0.1.0',
  licence: 'Apache-2.0 AND MIT AND BSD-3-Clause AND MPL-2.0',
  answers: [],
  tags: [],
  standIn: null,
  build: { kind: 'tool', on: 'nothing', tool: 'image-saver' },
};
