import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  digestOf,
  type Fault,
  type Imported,
  importBundle,
  Journal,
  type KeyList,
  openBundle,
  type Preflight,
  planImport,
  preflight,
  Registry,
  recordVersion,
  repositoriesOf,
  versionsOf,
} from '@delos/airgap';
import { resolveTool } from '@delos/cluster';
import { silent } from '@delos/core';
import { freePort } from '@delos/host';
import { until } from '../until.ts';
import { NOW } from './bundles.ts';

/** A real registry (distribution 3) with a folder of its own, as an auxiliary machine runs it. */
export interface SiteRegistry {
  readonly url: string;
  readonly data: string;
  up(): Promise<void>;
  kill(): Promise<void>;
  /** Every blob, link and tag, with the digest of its content: two stores that say the same have the same. */
  content(): Promise<readonly string[]>;
}

/** @param htpasswd file with who may use it, as Apache has it; left out: everybody */
export async function siteRegistry(folder: string, htpasswd?: string): Promise<SiteRegistry> {
  const { path } = await resolveTool('registry', silent);
  const data = join(folder, 'registry');
  const port = await freePort();
  await mkdir(data, { recursive: true });
  const config = join(folder, 'registry.json');
  const settings = {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: data }, delete: { enabled: true } },
    http: { addr: `127.0.0.1:${port}` },
    ...(htpasswd === undefined ? {} : { auth: { htpasswd: { realm: 'site', path: htpasswd } } }),
  };
  await writeFile(config, JSON.stringify(settings));
  let child: ChildProcess | undefined;
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    data,
    up: async () => {
      const started = spawn(path, ['serve', config], {
        stdio: 'ignore',
        env: { ...process.env, OTEL_TRACES_EXPORTER: 'none' },
      });
      child = started;
      await until('the registry answers', 30, async () => {
        if (started.exitCode !== null) throw new Error('the registry ended');
        const status = (await fetch(`${url}/v2/`).catch(() => undefined))?.status;
        return status === 200 || status === 401 ? true : undefined;
      });
    },
    kill: async () => {
      const ending = child;
      child = undefined;
      if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return;
      const gone = new Promise((resolve) => ending.once('exit', resolve));
      ending.kill('SIGKILL');
      await gone;
    },
    content: async () => {
      const entries = await readdir(data, { recursive: true, withFileTypes: true });
      const files = entries
        .filter((entry) => entry.isFile())
        .map(({ parentPath, name }) => join(parentPath, name))
        // What a kill leaves of an upload, which no image has.
        .filter((file) => !file.includes('/_uploads/'));
      const lines = await Promise.all(
        files.map(async (file) => `${file.slice(data.length)} ${digestOf(await readFile(file))}`),
      );
      return lines.toSorted();
    },
  };
}

export interface Importing {
  readonly folder: string;
  readonly list: KeyList;
  readonly url: string;
  readonly site: string;
  readonly parallel?: number;
  readonly chunkBytes?: number;
  readonly store?: string;
  readonly onStep?: (what: string) => Promise<void> | void;
  readonly at?: Date;
  readonly login?: { readonly user: string; readonly password: string };
}

/** What an import has done, or why it was refused before anything was sent. */
export interface ImportOutcome {
  readonly faults?: readonly Fault[];
  readonly done?: Imported;
  readonly looked?: Preflight;
}

/** What the command does after its arguments are read. */
export async function imported(how: Importing): Promise<ImportOutcome> {
  const bundle = await openBundle(how.folder, { pinned: how.list, at: NOW });
  const registry = new Registry({ url: how.url, ...(how.login === undefined ? {} : { login: how.login }) });
  const journal = new Journal(join(how.site, 'journal', `${bundle.digest.slice(7)}.jsonl`));
  try {
    const plan = planImport(bundle.index, repositoriesOf(versionsOf(how.site)));
    const looked = await preflight(bundle.index, plan, registry, { store: how.store });
    if ('faults' in looked) return { faults: looked.faults };
    const done = await importBundle(bundle, plan, {
      registry,
      journal,
      parallel: how.parallel ?? 4,
      ...(how.chunkBytes === undefined ? {} : { chunkBytes: how.chunkBytes }),
      ...(how.onStep === undefined ? {} : { onStep: how.onStep }),
    });
    recordVersion(how.site, {
      digest: bundle.digest,
      index: bundle.index,
      at: (how.at ?? NOW).toISOString(),
      registry: how.url,
    });
    journal.remove();
    return { done, looked };
  } finally {
    journal.close();
    await registry.close();
  }
}
