import type { CatalogueImage } from '../../image.ts';

export const victoriaLogs: CatalogueImage = {
  name: 'victoria-logs',
  role: 'service',
  upstream: 'docker.io/victoriametrics/victoria-logs:v1.52.1',
  version: '1.52.1',
  licence: 'Apache-2.0',
  answers: [],
  tags: [],
  standIn: null,
  build: { kind: 'tool', on: 'base', tool: 'victoria-logs' },
};
