import { setTimeout as sleep } from 'node:timers/promises';
import type { LiveSecret } from '../live-secret.ts';

/** Keycloak is told of another secret in two requests: the one between them takes neither. */
const ROUNDS = 4;
const ROUND_MS = 500;

/**
 * The answer to the secret that Keycloak takes now. Where it takes none, the one that tells most: Keycloak looks at the client's secret
 * before all else.
 */
export async function askWithEach(
  secret: LiveSecret,
  question: (secret: string) => Promise<Response>,
): Promise<Response> {
  for (let round = 1; ; round++) {
    const refusals: Response[] = [];
    const all = secret.accepted();
    for (const each of all) {
      const response = await question(each);
      if (response.ok) return response;
      refusals.push(response);
    }
    const told = refusals.find(({ status }) => status !== 401) ?? refusals[0];
    if (told !== undefined && (all.length === 1 || round === ROUNDS)) return told;
    await sleep(ROUND_MS);
  }
}
