import type { CatalogueImage } from '../../image.ts';

export const localPathProvisioner: CatalogueImage = {
  name: 'local-path-provisioner',
  role: 'service',
  upstream: 'docker.io/rancher/local-path-provisioner:v0.0.30',
  version: '0.0.30',
  licence: 'Apache-2.0',
  answers: [],
  tags: [],
  standIn: null,
  build: { kind: 'tool', on: 'base', tool: 'local-path-provisioner' },
};
