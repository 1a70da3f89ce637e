import type { CatalogueImage } from '../../image.ts';

export const coredns: CatalogueImage = {
  name: 'coredns',
  role: 'service',
  upstream: 'registry.k8s.io/coredns/coredns:v1.15.0',
  version: '1.15.0',
  licence: 'Apache-2.0',
  answers: [],
  tags: [],
  standIn: null,
  build: { kind: 'tool', on: 'base', tool: 'coredns' },
};
