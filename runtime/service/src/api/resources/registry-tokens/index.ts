import { REGISTRY_TOKENS } from '@delos/core';
import type { Resource } from '../../resource.ts';
import { registryTokenRoutes } from './routes.ts';

export const registryTokens: Resource = {
  name: 'registry-tokens',
  title: 'images: who may pull and push them',
  prefix: REGISTRY_TOKENS,
  tables: [],
  wanted: ({ registry }) => registry !== undefined,
  // Its clients show tokens as passwords.
  routes: registryTokenRoutes,
  audit: {},
};
