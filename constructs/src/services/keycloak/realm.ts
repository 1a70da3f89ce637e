import { CLIENT_ID, emailOf, HEADLESS_PATH, type IdentitySpec, type PlatformConfig, REALM } from '@delos/core';
import type { ServiceLogin } from '../../base/service.ts';

/**
 * The realm as code: who may log in, by which client, to which addresses a code may be sent.
 * @param logins services that people log in to by a browser. @default none
 */
export function realmOf(config: PlatformConfig, publicUrl: string, logins: readonly ServiceLogin[] = []): IdentitySpec {
  const admin = { username: config.admin.user, email: config.admin.email };
  const own = config.users.filter(({ provider }) => provider === undefined);
  const users = own.map((user) => ({ username: user.name, email: emailOf(user, config) }));
  return {
    realm: REALM,
    displayName: 'Delos',
    client: {
      id: CLIENT_ID,
      redirectUris: [
        // The client's own listener: it registers the address without a path, browsers come back with one.
        ...[54540, 54541, 54542].flatMap((port) => [`http://127.0.0.1:${port}`, `http://127.0.0.1:${port}/`]),
        `${publicUrl}${HEADLESS_PATH}`,
      ],
    },
    logins: logins.map(({ service, title, paths }) => ({
      id: service,
      title,
      redirectUris: paths.map((path) => `${publicUrl}${path}`),
    })),
    audience: CLIENT_ID,
    requireTls: publicUrl.startsWith('https:'),
    accessTokenLifespan: 1800,
    providers: config.identity,
    organizations: config.organizations.map(({ name, projects }) => ({
      name,
      projects: projects.map((project) => ({ name: project.name })),
    })),
    users: [admin, ...users.filter(({ username }) => username !== admin.username)],
  };
}
