#!/usr/bin/env node
import { KubeClient, kubeconfigAccess } from '@delos/kube';
import { z } from 'zod';
import { DiskKeeper } from './keeper.ts';
import { MOUNTS } from './names.ts';

const env = z
  .object({ KUBECONFIG: z.string().min(1), DELOS_DISKS: z.string().min(1), DELOS_NODE: z.string().min(1) })
  .parse(process.env);

function log(message: string): void {
  process.stderr.write(`${new Date().toISOString()} disks: ${message}\n`);
}

const stop = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());
try {
  const api = new KubeClient(kubeconfigAccess(env.KUBECONFIG), { fieldManager: 'delos-disks' });
  await new DiskKeeper({ api, images: env.DELOS_DISKS, mounts: MOUNTS, node: env.DELOS_NODE, log }).run(stop.signal);
  process.exit(0);
} catch (error) {
  log(String(error));
  process.exit(1);
}
