/*
 * Terminology: an image is *ours* (it exists only as built here), a *service* that is published upstream as well, or a
 * *stand-in*: something honest but different that answers a well-known name where its upstream cannot be reached.
 */

/**
 * Every image that Delos runs or answers for, each with its upstream reference, its licence and how it is built where
 * no registry can be reached. `images.source` in delos.yaml decides which of the two is used.
 */
export interface CatalogueImage {
  /** Short name, also its folder under images/ and its repository `MIRROR_HOST/delos/NAME` in the mirror registry. */
  readonly name: string;
  readonly role: 'ours' | 'service' | 'stand-in';
  /** Published reference, tag included; null for an image that exists only as built here. */
  readonly upstream: string | null;
  /** Version of what is inside, the first part of the local tag. */
  readonly version: string;
  /** SPDX expression of what is inside. */
  readonly licence: string;
  /** Further names (host and path, without tag) that the nodes answer by this image. */
  readonly answers: readonly string[];
  /** Tags under which `answers` are answered. A tag that would be a lie is not here. */
  readonly tags: readonly string[];
  /** For a stand-in: what it really is, shown in label, status and job description. */
  readonly standIn: string | null;
}

/** Registry host that our own images are named by; the nodes' containerd sends it to the mirror. */
export const MIRROR_HOST = 'registry.delos.internal';

/** Labels of an image that stands in for another: what it really is, and the name that it answers. */
export const STAND_IN_LABEL = 'dev.delos.stand-in';
export const STAND_IN_FOR_LABEL = 'dev.delos.stand-in-for';

const KUBERNETES_ADD_ON = { role: 'service', licence: 'Apache-2.0', answers: [], tags: [], standIn: null } as const;

export const CATALOGUE: readonly CatalogueImage[] = [
  {
    name: 'runtime',
    role: 'ours',
    upstream: null,
    version: '0.1.0',
    licence: 'Apache-2.0 AND MIT',
    answers: [],
    tags: [],
    standIn: null,
  },
  {
    name: 'user-base',
    role: 'ours',
    upstream: null,
    version: '0.1.0',
    licence: 'Apache-2.0 AND PSF-2.0 AND GPL-3.0-or-later',
    answers: ['ghcr.io/neuro-inc/base'],
    tags: ['latest', 'v25.3.0-runtime', 'v22.5.0-runtime'],
    standIn: null,
  },
  {
    name: 'postgres',
    role: 'service',
    upstream: 'docker.io/library/postgres:17.11-bookworm',
    version: '17.11',
    licence: 'PostgreSQL',
    answers: [],
    tags: [],
    standIn: null,
  },
  {
    name: 'keycloak',
    role: 'service',
    upstream: 'quay.io/keycloak/keycloak:26.7.3',
    version: '26.7.3',
    licence: 'Apache-2.0',
    answers: [],
    tags: [],
    standIn: null,
  },
  { ...KUBERNETES_ADD_ON, name: 'caddy', upstream: 'docker.io/library/caddy:2.11.9', version: '2.11.9' },
  { ...KUBERNETES_ADD_ON, name: 'coredns', upstream: 'registry.k8s.io/coredns/coredns:v1.15.0', version: '1.15.0' },
  {
    ...KUBERNETES_ADD_ON,
    name: 'local-path-provisioner',
    upstream: 'docker.io/rancher/local-path-provisioner:v0.0.30',
    version: '0.0.30',
  },
  {
    ...KUBERNETES_ADD_ON,
    name: 'metrics-server',
    upstream: 'registry.k8s.io/metrics-server/metrics-server:v0.9.0',
    version: '0.9.0',
  },
  { ...KUBERNETES_ADD_ON, name: 'pause', upstream: 'registry.k8s.io/pause:3.10.1', version: '0.1.0' },
  {
    name: 'ubuntu',
    role: 'stand-in',
    upstream: 'docker.io/library/ubuntu:latest',
    version: '12',
    licence: 'GPL-3.0-or-later AND LGPL-2.1-or-later AND MIT',
    answers: ['docker.io/library/ubuntu'],
    tags: ['latest', '24.04', '22.04', 'noble', 'jammy'],
    standIn: 'Debian 12 (bookworm)',
  },
  {
    name: 'debian',
    role: 'stand-in',
    upstream: 'docker.io/library/debian:bookworm-slim',
    version: '12',
    licence: 'GPL-3.0-or-later AND LGPL-2.1-or-later AND MIT',
    answers: ['docker.io/library/debian'],
    tags: ['bookworm', 'bookworm-slim', '12', '12-slim', 'latest'],
    standIn: 'Debian 12 (bookworm), made by mmdebstrap from Debian’s packages',
  },
  {
    name: 'python',
    role: 'stand-in',
    upstream: 'docker.io/library/python:3.11-slim-bookworm',
    version: '3.11',
    licence: 'PSF-2.0 AND GPL-3.0-or-later',
    answers: ['docker.io/library/python'],
    tags: ['3.11', '3.11-slim', '3.11-bookworm', '3.11-slim-bookworm'],
    standIn: 'Python 3.11 as Debian 12 packages it, with pip',
  },
];

/** The catalogue's entry of a name; undefined for a name that is not in it. */
export function tryCatalogueImage(name: string): CatalogueImage | undefined {
  return CATALOGUE.find((image) => image.name === name);
}

/**
 * What a name that a job uses would be answered by where its upstream cannot be reached; undefined for all other
 * names. Short names are taken as container engines take them: `ubuntu` is `docker.io/library/ubuntu:latest`.
 */
export function tryStandInFor(reference: string): CatalogueImage | undefined {
  const { name, tag } = splitReference(reference);
  return CATALOGUE.find((image) => image.standIn !== null && image.answers.includes(name) && image.tags.includes(tag));
}

/** Full name and tag of a reference, after the rules of distribution/reference; a digest has no tag. */
export function splitReference(reference: string): { readonly name: string; readonly tag: string } {
  const [named = reference, digest] = reference.split('@', 2);
  const colon = named.lastIndexOf(':');
  const tagged = colon > named.lastIndexOf('/');
  const path = tagged ? named.slice(0, colon) : named;
  const tag = tagged ? named.slice(colon + 1) : digest === undefined ? 'latest' : '';
  const [first = '', ...rest] = path.split('/');
  const hosted = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  if (!hosted) return { name: `docker.io/${rest.length === 0 ? `library/${path}` : path}`, tag };
  return { name: path.replace(/^index\.docker\.io\//, 'docker.io/'), tag };
}
