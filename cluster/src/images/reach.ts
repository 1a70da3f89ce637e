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
  const answer = fetch(`https://${API_HOST[host] ?? host}/v2/`, {
    signal: AbortSignal.timeout(LIMIT_MS),
    redirect: 'manual',
  }).then(
    ({ status }) => status === 200 || status === 401,
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
