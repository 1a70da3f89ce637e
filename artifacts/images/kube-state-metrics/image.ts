import type { CatalogueImage } from '../../image.ts';

export const kubeStateMetrics: CatalogueImage = {
  name: 'kube-state-metrics',
  role: 'service',
  upstream: 'registry.k8s.io/kube-state-metrics/kube-state-metrics:v2.20.0',
  version: '2.20.0',
  licence: 'Apache-2.0',
  answers: [],
  tags: [],
  standIn: null,
  build: { kind: 'tool', on: 'base', tool: 'kube-state-metrics' },
};
