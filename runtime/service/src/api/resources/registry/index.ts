import { REGISTRY_PATH } from '@delos/core';
import type { Resource } from '../../resource.ts';
import { registryRoutes } from './routes.ts';

export { buildCredential, callerOfBuild, readBuildCredential } from './build-credential.ts';
export { callerBehind, passwordIn } from './credentials.ts';
export { sendError } from './errors.ts';
export { projectOfRepository } from './names.ts';
export { pullCredential, readPullCredential } from './pull-credential.ts';
export { type Access, CATALOG, signToken, TOKEN_SECONDS } from './token.ts';

export const registry: Resource = {
  name: 'registry',
  title: 'images: the list of what there is',
  prefix: REGISTRY_PATH,
  config: [{ in: 'cluster', key: 'registry_url', path: '' }],
  tables: [],
  wanted: ({ registry: settings }) => settings !== undefined,
  // Its clients show tokens as passwords.
  routes: registryRoutes,
  audit: {},
};
