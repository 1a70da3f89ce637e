import { DelosError, isDelosError, JOINED_PREFIX, left } from '@delos/core';
import { z } from 'zod';
import { liveSecret } from '../live-secret.ts';
import type { Environment } from '../service.ts';
import { readEnv } from '../service-env.ts';

const settings = z.object({
  DELOS_API_URL: z.url(),
  DELOS_AGENT_TOKEN_FILE: z.string(),
  DELOS_JOIN_TOKEN_FILE: z.string(),
});
const ANSWER_MS = 30_000;

/**
 * `delos-runtime leave`, in the agent's Pod: has this cluster leave the platform that it has joined. The platform ends its jobs
 * and removes its disks by this very agent; asked again until nothing is left. Answers one JSON document on stdout,
 * `{result: {jobs, disks}}` or `{error}`. @returns the exit code
 */
export async function leaveCommand(environment: Environment): Promise<number> {
  try {
    const env = readEnv(settings, environment);
    const url = `${env.DELOS_API_URL.replace(/\/+$/, '')}${JOINED_PREFIX}/membership`;
    const answer = await fetch(url, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${liveSecret(env.DELOS_AGENT_TOKEN_FILE).current()}` },
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    // It is no member any more, or never was one.
    if (answer.status === 401) write({ result: { jobs: 0, disks: 0 } });
    else if (answer.ok) write({ result: left.parse(await answer.json()) });
    else
      throw new DelosError(
        'ERR_NOT_UP',
        `the platform answered ${answer.status}: ${(await answer.text()).slice(0, 200)}`,
      );
    return 0;
  } catch (error) {
    write({
      error: isDelosError(error)
        ? error
        : new DelosError(
            'ERR_NOT_UP',
            `the platform cannot be asked: ${error instanceof Error ? error.message : String(error)}`,
          ),
    });
    return 1;
  }
}

const write = (document: unknown): void => {
  process.stdout.write(`${JSON.stringify(document)}\n`);
};
