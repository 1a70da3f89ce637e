import { askOutward } from '../toolchain/outward.ts';

const asked = new Map<string, Promise<boolean>>();
const LIMIT_MS = 4000;

/** Hosts whose registry API lies elsewhere. */
const API_HOST: Readonly<Record<string, string>> = { 'docker.io': 'registry-1.docker.io' };

/**
 * Whether a registry answers as one (distribution specification, `GET /v2/`: 200 or 401). Asked once a process; a
 * firewall that swallows packets costs four seconds.
 */
export function registryReachable(host: string): Promise<boolean> {
  const known = asked.get(host);
  if (known !== undefined) return known;
  const url = `https://${API_HOST[host] ?? host}/v2/`;
  const answer = askOutward(url, { limitMs: LIMIT_MS, redirects: 0 }).then(
    (response) => {
      response.resume();
      return response.statusCode === 200 || response.statusCode === 401;
    },
    () => false,
  );
  asked.set(host, answer);
  return answer;
}

/**
 * Whether a cluster that comes up now shall answer names by stand-ins: where they are allowed and Docker Hub, whose
 * names they are, cannot be reached.
 */
export async function standInsAnswer(allowed: boolean): Promise<boolean> {
  return allowed && !(await registryReachable('docker.io'));
}
