import { join } from 'node:path';
import { build } from 'esbuild';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../../..');

/** Files that a process loads as soon as it starts from `entry`; what is imported later, on demand, is not among them. */
async function loadedBy(entry: string): Promise<readonly string[]> {
  const { metafile } = await build({
    entryPoints: [join(ROOT, entry)],
    absWorkingDir: ROOT,
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    outdir: 'out',
    write: false,
    metafile: true,
    external: ['pg-native'],
    logLevel: 'silent',
  });
  const found = new Set<string>();
  const visit = (file: string): void => {
    if (found.has(file)) return;
    found.add(file);
    for (const { path, kind } of metafile.inputs[file]?.imports ?? []) if (kind !== 'dynamic-import') visit(path);
  };
  visit(entry);
  return [...found];
}

test.each(['runtime/service/src/agent/service.ts', 'cluster/src/netpol/main.ts', 'cluster/src/embedded/node/node.ts'])(
  '%s, a process that stays, does not load the official client library',
  async (entry) => {
    const loaded = await loadedBy(entry);
    // It does speak to Kubernetes.
    expect(loaded).toContain('kube/src/client.ts');
    expect(loaded.filter((file) => file.includes('@kubernetes/client-node'))).toEqual([]);
  },
);
