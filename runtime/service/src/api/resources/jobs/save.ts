import { PassThrough } from 'node:stream';
import { DelosError } from '@delos/core';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { RawData, WebSocket } from 'ws';
import { z } from 'zod';
import type { JobRow } from '../../../db/schema.ts';
import { guard } from '../../../edge/guard.ts';
import { bufferOf } from '../../../relay.ts';
import type { ApiDeps, Caller } from '../../deps.ts';
import { liveProjects } from '../../live-projects.ts';
import { depsAt } from '../../paths/cluster-paths.ts';
import { authorize } from '../../rights.ts';
import { route } from '../../route.ts';
import { buildCredential, projectOfRepository } from '../registry/index.ts';
import { ownRegistry, ownRepository } from '../registry/platform-image.ts';
import { findJob } from './access.ts';
import { checkRuns } from './streams/container-stream.ts';

const params = z.object({ id: z.string().min(1).max(128) });
/** @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests */
const TAG = /:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const WHERE = { field: 'container.image' };

/**
 * Makes an image of a job's container: the official client's `apolo job save`. It is answered line by line as docker's commit and push
 * are: two lines of the first, then the progress of the second. What fails after the first line is a line as well.
 */
export function saveRoute(app: FastifyInstance, deps: ApiDeps): void {
  route(
    app,
    deps,
    {
      method: 'POST',
      url: '/:id/save',
      tag: 'jobs',
      summary:
        'Make an image of a job’s container as it is now. Answered as NDJSON: docker’s lines of a commit and a push',
      params,
      body: z.object({ container: z.object({ image: z.string().min(1).max(1024) }) }),
      response: z.looseObject({ status: z.string() }),
    },
    async ({ params: { id }, body, caller, request, reply }) => {
      const row = await findJob(await depsAt(deps, request), caller, id, 'write');
      const { image, repository } = await savedTo(deps, caller, body.container.image);
      checkRuns(row);
      const socket = await openSave(deps, row, { image, repository, user: caller.id });
      deps.log.info({ jobId: row.id, image, user: caller.user }, 'job saved');
      return reply.header('content-type', 'application/x-ndjson').send(linesOf(socket, request));
    },
  );
}

/** @throws DelosError ERR_REQUEST, ERR_FORBIDDEN: the image must be one that the caller may push */
async function savedTo(
  { database, settings }: Pick<ApiDeps, 'database' | 'settings'>,
  caller: Caller,
  given: string,
): Promise<{ readonly image: string; readonly repository: string }> {
  if (ownRegistry(settings) === undefined) {
    throw new DelosError('ERR_NOT_IMPLEMENTED', 'this platform has no registry of images, so that no job can be saved');
  }
  const repository = ownRepository(settings, given);
  const of = repository === undefined ? undefined : projectOfRepository(repository);
  if (repository === undefined || of === undefined || given.includes('@')) {
    throw new DelosError(
      'ERR_REQUEST',
      `a job is saved to an image of this platform, not to ${JSON.stringify(given)}`,
      {
        where: WHERE,
        hint: 'apolo job save JOB image:NAME:TAG',
      },
    );
  }
  const [project] = await liveProjects(database.db, [of]);
  authorize(
    caller,
    project,
    'write',
    () =>
      new DelosError('ERR_FORBIDDEN', `${caller.user} may not push images to project ${of.org}/${of.project}`, {
        where: WHERE,
        hint: 'image:NAME is an image of your own project',
      }),
    [`image://${settings.cluster}/${repository}`],
  );
  return { image: TAG.test(given) ? given : `${given}:latest`, repository };
}

interface Saved {
  readonly image: string;
  readonly repository: string;
  /** Id of who asks. */
  readonly user: number;
}

async function openSave(
  { settings, agents }: Pick<ApiDeps, 'settings' | 'agents'>,
  { id: job, cluster }: JobRow,
  { image, repository, user }: Saved,
): Promise<WebSocket> {
  const { registry, publicUrl, builder } = settings;
  const hub = agents?.();
  if (registry === undefined || hub === undefined || cluster !== settings.cluster) {
    throw new DelosError(
      'ERR_NOT_IMPLEMENTED',
      `jobs of cluster ${cluster} cannot be saved: it has no registry of its own`,
    );
  }
  const at = builder?.();
  const now = Math.floor(Date.now() / 1000);
  return hub.openStream(cluster, {
    jobId: job,
    kind: 'save',
    ...{ tty: false, stdin: false, stdout: false, stderr: false, command: [], port: null },
    save: {
      image,
      registry: {
        password: await buildCredential(registry, { job, user, push: [], repository }, now),
        at: at?.registryAt ?? '',
        plain: publicUrl.startsWith('http:'),
        authorities: at?.authorities ?? '',
      },
    },
  });
}

/** What the node tells, as it comes. Where the client goes away, the node stops. */
function linesOf(socket: WebSocket, request: FastifyRequest): PassThrough {
  const out = new PassThrough();
  socket.on(
    'message',
    guard(
      (data: RawData) => {
        if (out.write(bufferOf(data))) return;
        // The client reads more slowly than the node tells.
        socket.pause();
        out.once('drain', () => socket.resume());
      },
      () => socket.terminate(),
    ),
  );
  socket.on('error', () => socket.terminate());
  socket.once('close', (code) => {
    const lost = 'the connection to the job’s node was lost: the image may be there or not; save it again';
    if (code !== 1000) out.write(`${JSON.stringify({ error: lost, errorDetail: { message: lost } })}\n`);
    out.end();
  });
  out.once('close', () => socket.terminate());
  request.raw.once('aborted', () => socket.terminate());
  socket.resume();
  return out;
}
