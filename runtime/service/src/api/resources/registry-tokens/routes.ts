import {
  DelosError,
  REGISTRY_AUTHORIZE_PATH,
  REGISTRY_SERVICE,
  REGISTRY_TOKEN_PATH,
  REGISTRY_TOKENS,
} from '@delos/core';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { ApiDeps, Caller } from '../../deps.ts';
import { liveProjects } from '../../live-projects.ts';
import type { ProjectOf } from '../../rights.ts';
import {
  type Access,
  callerBehind,
  callerOfBuild,
  passwordIn,
  readBuildCredential,
  readPullCredential,
  sendError,
  signToken,
  TOKEN_SECONDS,
} from '../registry/index.ts';
import type { RegistrySettings } from '../registry/settings.ts';
import { grant, projectsIn } from './grant.ts';
import { parseScopes, scopesOfRequest } from './scopes.ts';

const list = z.preprocess((value) => (value === undefined ? [] : [value].flat()), z.array(z.string()));
const query = z.object({ scope: list, service: list });

/**
 * Tokens of the registry, for whoever shows one of the platform: as clients of registries ask for them, and as the gateway asks
 * for clients that know no such tokens.
 * @see https://distribution.github.io/distribution/spec/auth/token/
 */
export function registryTokenRoutes(app: FastifyInstance, deps: ApiDeps): void {
  const tag = { tags: ['registry'] };
  app.get(
    REGISTRY_TOKEN_PATH.slice(REGISTRY_TOKENS.length),
    { schema: { ...tag, summary: 'A token of the registry, with the rights that are asked for and given' } },
    async (request, reply) => {
      try {
        const { scope, service } = query.parse(request.query);
        if (service.some((name) => name !== REGISTRY_SERVICE)) {
          throw new DelosError('ERR_REQUEST', `expected ${REGISTRY_SERVICE}, found ${JSON.stringify(service[0])}`, {
            where: { field: 'service' },
          });
        }
        const now = Math.floor(Date.now() / 1000);
        const token = await tokenFor(request.headers.authorization, () => parseScopes(scope), now);
        return await reply.header('cache-control', 'no-store').send({
          token,
          access_token: token,
          expires_in: TOKEN_SECONDS,
          issued_at: new Date(now * 1000).toISOString(),
        });
      } catch (error) {
        return sendError(reply, error);
      }
    },
  );
  app.get(
    REGISTRY_AUTHORIZE_PATH.slice(REGISTRY_TOKENS.length),
    {
      schema: {
        ...tag,
        summary: 'The gateway’s question: may this request pass, and with which token of the registry',
      },
    },
    async (request, reply) => {
      try {
        const [method, uri] = ['x-forwarded-method', 'x-forwarded-uri'].map(
          (name) => [request.headers[name]].flat()[0],
        );
        const scopes = (): readonly Access[] => scopesOfRequest(method ?? '', uri ?? '');
        const token = await tokenFor(request.headers.authorization, scopes, Math.floor(Date.now() / 1000));
        return await reply.header('authorization', `Bearer ${token}`).header('cache-control', 'no-store').send('');
      } catch (error) {
        return sendError(reply, error);
      }
    },
  );

  /** A node, a build of an image, or a job that is saved; undefined for all others. */
  async function machineBehind(
    registry: RegistrySettings,
    authorization: string | undefined,
    asked: readonly Access[],
  ): Promise<Caller | undefined> {
    const password = passwordIn(authorization);
    if (password === undefined) return undefined;
    const pulls = await readPullCredential(registry, password);
    if (pulls !== undefined) return nodeOf(pulls);
    const builds = await readBuildCredential(registry, password);
    if (builds === undefined) return undefined;
    const { repository } = builds;
    // Who may write a repository may write those below it; what saves a job may not.
    if (repository !== undefined && asked.some(({ type, name }) => type !== 'repository' || name !== repository)) {
      throw new DelosError('ERR_FORBIDDEN', `the credential is for ${repository} alone`);
    }
    return callerOfBuild(deps, builds);
  }

  async function tokenFor(
    authorization: string | undefined,
    scopes: () => readonly Access[],
    now: number,
  ): Promise<string> {
    const { registry } = deps.settings;
    if (registry === undefined) throw new DelosError('ERR_NOT_IMPLEMENTED', 'this platform has no registry');
    const asked = scopes();
    const caller = (await machineBehind(registry, authorization, asked)) ?? (await callerBehind(deps, authorization));
    const { access, refusal } = grant(
      caller,
      asked,
      await liveProjects(deps.database.db, projectsIn(asked)),
      deps.settings.cluster,
    );
    if (refusal !== undefined) throw refusal;
    return signToken(registry, { name: caller.user, id: caller.id }, access, now);
  }
}

/** A node that pulls for a job: it reads the images of one project. No user has its id. */
const nodeOf = ({ org, project }: ProjectOf): Caller => ({
  id: 0,
  user: `a node for jobs of ${org}/${project}`,
  admin: false,
  roles: new Map([[`${org}/${project}`, 'reader']]),
});
