// Temporary: images put together by crane until the image builder has its entry.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { CATALOGUE, MIRROR_HOST } from '@delos/constructs';
import type { InstancePaths } from '@delos/core';
import { mirrorStore, tryStored, withRegistry } from '../images/store.ts';
import { createToolchain, ensureOsPackages } from '../toolchain/index.ts';
import type { AddonImage, EmbeddedParts } from './prepare.ts';

const FILES: Record<AddonImage, string> = {
  pause: 'pause',
  coredns: 'coredns',
  'metrics-server': 'metrics-server',
  'local-path-provisioner': 'usr/bin/local-path-provisioner',
};

export function defaultParts(paths: InstancePaths): EmbeddedParts {
  const { resolve } = createToolchain({ cache: paths.cache });
  return {
    resolveTool: resolve,
    ensureOsPackages: (progress) => ensureOsPackages('node', progress),
    async ensureImages(names, progress) {
      const store = mirrorStore(paths);
      const references = Object.fromEntries(names.map((name) => [name, ''])) as Record<AddonImage, string>;
      const missing: AddonImage[] = [];
      for (const name of names) {
        const version = CATALOGUE.find((image) => image.name === name)?.version ?? '0';
        references[name] = `${MIRROR_HOST}/delos/${name}:${version}-dev`;
        if ((await tryStored(store, `${MIRROR_HOST}/delos/${name}`, `${version}-dev`)) === undefined)
          missing.push(name);
      }
      if (missing.length === 0) return references;
      const registry = await resolve('registry', progress);
      const crane = await resolve('crane', progress);
      await withRegistry(registry.path, store, async (endpoint) => {
        for (const name of missing) {
          const tool = await resolve(name, progress);
          const root = mkdtempSync(join(tmpdir(), 'delos-dev-image-'));
          const target = join(root, FILES[name]);
          mkdirSync(dirname(target), { recursive: true });
          copyFileSync(tool.path, target);
          if (name === 'local-path-provisioner' && existsSync('/tmp/b/x/bin/busybox')) {
            mkdirSync(join(root, 'bin'));
            copyFileSync('/tmp/b/x/bin/busybox', join(root, 'bin/busybox'));
            for (const each of ['sh', 'mkdir', 'rm', 'chmod']) symlinkSync('busybox', join(root, 'bin', each));
          }
          const tar = `${root}.tar`;
          execFileSync('tar', ['-C', root, '--owner=0', '--group=0', '-cf', tar, '.']);
          const tag = `${endpoint}/${references[name]}`;
          execFileSync(crane.path, ['append', '--oci-empty-base', '-f', tar, '-t', tag]);
          const env = ['--env', 'PATH=/usr/bin:/bin', '--set-platform', 'linux/amd64', '--user', '65532:65532'];
          execFileSync(crane.path, ['mutate', tag, '--entrypoint', `/${FILES[name]}`, ...env, '-t', tag]);
        }
      });
      return references;
    },
  };
}
