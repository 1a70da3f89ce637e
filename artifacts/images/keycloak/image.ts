import type { CatalogueImage } from '../../image.ts';

export const keycloak: CatalogueImage = {
  name: 'keycloak',
  role: 'service',
  upstream: 'quay.io/keycloak/keycloak:26.7.3',
  version: '26.7.3',
  licence: 'Apache-2.0',
  answers: [],
  tags: [],
  standIn: null,
  build: {
    kind: 'archive',
    on: 'base',
    archive: {
      coordinates: 'org.keycloak:keycloak-quarkus-dist:26.7.3:tar.gz',
      sha256: '77657f30b7e90d70f727712ce1c967f430fd6a5e9f458d32d8c6df0635345f47',
    },
    file: 'keycloak.tar.gz',
  },
};
