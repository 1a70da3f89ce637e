import { REALM_PATH } from '@delos/core';
import type { Resource } from '../../resource.ts';
import { loginRoute } from './route.ts';

export const login: Resource = {
  name: 'login',
  title: 'passwords on their way to Keycloak',
  prefix: REALM_PATH,
  tables: ['login_failures'],
  routes: (app, deps) => {
    const { realmUrl } = deps.settings;
    if (realmUrl !== undefined) loginRoute(app, deps, realmUrl);
  },
  audit: { 'POST /login-actions/authenticate': 'login.attempt' },
};
