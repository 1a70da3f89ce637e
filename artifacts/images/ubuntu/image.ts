import type { CatalogueImage } from '../../image.ts';

export const ubuntu: CatalogueImage = {
  name: 'ubuntu',
  role: 'stand-in',
  upstream: 'docker.io/library/ubuntu:latest',
  version: '12',
  licence: 'GPL-3.0-or-later AND LGPL-2.1-or-later AND MIT',
  answers: ['docker.io/library/ubuntu'],
  tags: ['latest', '24.04', '22.04', 'noble', 'jammy'],
  standIn: 'Debian 12 (bookworm)',
  build: { kind: 'folder', on: 'base' },
};
