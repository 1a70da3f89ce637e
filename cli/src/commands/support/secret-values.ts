import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { Kube } from '../../instance/kube.ts';

const secrets = z.object({ items: z.array(z.object({ data: z.record(z.string(), z.string()).default({}) })) });

/** Keys of Secrets whose values are for everybody to see: taking them out would take ordinary words out of all text. */
const PUBLIC = new Set([
  ...['ca.crt', 'tls.crt', 'namespace'],
  ...['username', 'user', 'host', 'port', 'database', 'dbname', 'endpoint', 'region'],
]);
/** What is larger is a document, such as a release of Helm: no text repeats it. */
const MOST_BYTES = 64 * 2 ** 10;

/** Values of every Secret of a cluster. */
export async function secretsOfCluster(kube: Kube): Promise<readonly string[]> {
  const { items } = await kube.json(secrets, ['get', 'secrets', '--all-namespaces']);
  return items.flatMap(({ data }) =>
    Object.entries(data).flatMap(([key, value]) =>
      PUBLIC.has(key) || value.length > MOST_BYTES ? [] : [Buffer.from(value, 'base64').toString()],
    ),
  );
}

/** What this process was told in confidence: values of its environment that are named so. */
export function secretsOfEnvironment(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  return Object.entries(env).flatMap(([name, value = '']) =>
    /pass|secret|token|key|credential/i.test(name) && !value.startsWith('/') ? [value] : [],
  );
}

/** Secrets in files: the whole text of some, the keys and passwords of kubeconfigs. A missing file has none. */
export function secretsOfFiles(files: { readonly whole: readonly string[]; readonly kubeconfigs: readonly string[] }) {
  const inKubeconfig = /(?:-key-data|token|password): *["']?([^"'\s]+)/g;
  return [
    ...files.whole.flatMap((file) => tryRead(file).map((text) => text.trim())),
    ...files.kubeconfigs.flatMap((file) =>
      tryRead(file).flatMap((text) => [...text.matchAll(inKubeconfig)].map(([, value = '']) => value)),
    ),
  ];
}

function tryRead(path: string): readonly string[] {
  try {
    return [readFileSync(path, 'utf8')];
  } catch {
    return [];
  }
}
