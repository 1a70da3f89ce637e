import type { CatalogueImage } from '../../image.ts';

export const grafana: CatalogueImage = {
  name: 'grafana',
  role: 'service',
  upstream: 'docker.io/grafana/grafana:13.2.0',
  version: '13.2.0',
  licence: 'AGPL-3.0-only',
  answers: [],
  tags: [],
  standIn: null,
  // Used as its makers publish it, and never made anew.
  build: null,
};
