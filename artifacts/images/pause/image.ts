import type { CatalogueImage } from '../../image.ts';

export const pause: CatalogueImage = {
  name: 'pause',
  role: 'service',
  upstream: 'registry.k8s.io/pause:3.10.1',
  version: '0.1.0',
  licence: 'Apache-2.0',
  answers: [],
  tags: [],
  standIn: null,
  build: { kind: 'tool', on: 'nothing', tool: 'pause' },
};
