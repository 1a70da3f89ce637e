import type { CatalogueImage } from '../../image.ts';

export const python: CatalogueImage = {
  name: 'python',
  role: 'stand-in',
  upstream: 'docker.io/library/python:3.11-slim-bookworm',
  version: '3.11',
  licence: 'PSF-2.0 AND GPL-3.0-or-later',
  answers: ['docker.io/library/python'],
  tags: ['3.11', '3.11-slim', '3.11-bookworm', '3.11-slim-bookworm'],
  standIn: 'Python 3.11 as Debian 12 packages it, with pip',
  build: { kind: 'folder', on: 'user-base' },
};
