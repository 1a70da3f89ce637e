import { DelosError, REGISTRY_CATALOG_PATH, REGISTRY_PATH } from '@delos/core';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { ApiDeps, Caller } from '../../deps.ts';
import { visibleProjects } from '../../live-projects.ts';
import { catalogPage, PAGE, registryNames } from './catalog.ts';
import { callerBehind } from './credentials.ts';
import { sendError } from './errors.ts';
import { repositoryName } from './names.ts';
import { CATALOG, readToken } from './token.ts';

const text = (item: z.ZodType<string | undefined>) =>
  z.preprocess((value) => [value].flat()[0], item) as z.ZodType<string | undefined>;
const query = z.object({
  n: text(
    z
      .string()
      .regex(/^\d{1,9}$/, 'expected a number')
      .optional(),
  ),
  last: text(repositoryName.optional()),
});

/**
 * The list of repositories (`/v2/_catalog`). All else below /v2 the gateway sends to the registry itself.
 * @see https://distribution.github.io/distribution/spec/api/#catalog
 */
export function registryRoutes(app: FastifyInstance, deps: ApiDeps): void {
  const { registry } = deps.settings;
  app.get(
    REGISTRY_CATALOG_PATH.slice(REGISTRY_PATH.length),
    { schema: { summary: 'Repositories of images that the caller may see', tags: ['registry'] } },
    async (request, reply) => {
      try {
        if (registry === undefined) throw new DelosError('ERR_NOT_IMPLEMENTED', 'this platform has no registry');
        const caller = await callerOf(request.headers.authorization);
        const parsed = query.safeParse(request.query);
        if (!parsed.success) {
          const [issue] = parsed.error.issues;
          throw new DelosError('ERR_REQUEST', issue?.message ?? 'not accepted', {
            where: { field: String(issue?.path[0] ?? 'query') },
          });
        }
        const { n, last = '' } = parsed.data;
        const count = Math.min(PAGE.most, n === undefined ? PAGE.usual : Math.max(1, Number(n)));
        const projects = await visibleProjects(deps.database.db, caller);
        const page = await catalogPage(projects, { after: last, count }, registryNames(registry));
        const more = page.more ? page.names.at(-1) : undefined;
        if (more !== undefined) {
          const next = new URLSearchParams({ n: String(count), last: more });
          void reply.header('link', `<${REGISTRY_CATALOG_PATH}?${next}>; rel="next"`);
        }
        return await reply.send({ repositories: page.names });
      } catch (error) {
        return sendError(reply, error);
      }
    },
  );

  /** Clients show what the registry gave them for the list, or a token of the platform. */
  async function callerOf(authorization: string | undefined): Promise<Caller> {
    const token = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
    const id = token === undefined || registry === undefined ? undefined : await readToken(registry, token, CATALOG);
    if (id === undefined) return callerBehind(deps, authorization);
    const caller = await deps.callerById(id);
    await deps.requests.ofUser(caller);
    return caller;
  }
}
