import { createHash } from 'node:crypto';
import { readdir, readFile, rm, statfs } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { GoBuild, ToolSpec } from '@delos/artifacts';
import { DelosError, type Progress } from '@delos/core';
import { run } from '@delos/host';
import { completeModule } from './complete-module.ts';

export interface GoEnvironment {
  readonly go: string;
  /** Cache root of Delos: `go/mod` and `go/build` lie below it. */
  readonly cache: string;
  /** Folder that holds the modules. */
  readonly modules: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface Estimate {
  /** Packages that have to be compiled, of all. */
  readonly stale: number;
  readonly all: number;
  readonly seconds: number;
  readonly diskBytes: number;
  readonly memoryBytes: number;
}

const GIB = 2 ** 30;

/** Part of the cache key: what the module's source says, without the commands that are not this one. */
export async function moduleHash(folder: string, command: string): Promise<string> {
  const hash = createHash('sha256');
  const names = await readdir(folder, { recursive: true });
  for (const name of names.sort()) {
    if (!/(^|\/)(go\.mod|go\.sum|.*\.go)$/.test(name) || name.endsWith('_test.go')) continue;
    if (name.startsWith('cmd/') && command.startsWith('./cmd/') && !`./${name}`.startsWith(`${command}/`)) continue;
    hash
      .update(name)
      .update('\0')
      .update(await readFile(join(folder, name)))
      .update('\0');
  }
  return hash.digest('hex');
}

/** Estimates in proportion to the packages that Go's cache does not hold; linking stays. */
export function estimate(
  build: GoBuild,
  packages: { readonly stale: number; readonly all: number },
  cores: number,
): Estimate {
  const share = packages.all === 0 ? 1 : packages.stale / packages.all;
  // Measured on two cores; compiling scales with cores, linking (about an eighth) does not.
  const seconds = build.cold.seconds * (share * 0.875 * (2 / Math.max(1, cores)) + 0.125);
  return {
    ...packages,
    seconds: Math.max(1, Math.round(seconds)),
    diskBytes: Math.round(build.cold.diskBytes * Math.max(share, 0.1)),
    memoryBytes: build.cold.memoryBytes,
  };
}

/**
 * Builds a tool from its module into `target`. What is compiled stays in Go's cache, so that a build that was
 * broken off goes on where it was, and two at once share what they compile.
 * @throws DelosError ERR_DISK_SPACE, ERR_TOOL_UNAVAILABLE
 */
export async function buildTool(
  spec: ToolSpec,
  build: GoBuild,
  target: string,
  environment: GoEnvironment,
  progress: Progress,
): Promise<void> {
  const cwd = join(environment.modules, build.module);
  const env = goEnv(environment);
  const completed = await completeModule(environment.go, build, { cwd, env, folder: `${target}.module` });
  if (typeof completed === 'object') throw failure(spec, completed.stderr, cwd);
  const flags = [...flagsOf(build), ...(completed === undefined ? [] : ['-modfile', completed])];
  progress.step(`${spec.name} ${spec.version}: looking at what has to be built`);
  const packages = await countPackages(environment.go, build, flags, cwd, env, spec, progress);
  const cores = availableParallelism();
  const needed = estimate(build, packages, cores);
  await requireDisk(spec, environment.cache, needed.diskBytes);
  const available = await availableMemory();
  const tight = available !== undefined && available < needed.memoryBytes;
  if (tight) {
    progress.warn(
      `building ${spec.name} needs about ${gib(needed.memoryBytes)} GiB of memory, ${gib(available)} are available: building one package at a time`,
    );
  }
  const about = `about ${minutes(needed.seconds)}, ${gib(needed.diskBytes)} GiB of disk, ${gib(needed.memoryBytes)} GiB of memory`;
  progress.step(`building ${spec.name} ${spec.version}: ${needed.stale} of ${needed.all} packages, ${about}`);
  let compiled = 0;
  let last = '';
  const from = performance.now();
  const tell = (): void => {
    const state = compiled >= needed.stale ? 'linking' : `${compiled} of ${needed.stale} packages, ${last}`;
    progress.step(`building ${spec.name}: ${state} (${Math.round((performance.now() - from) / 1000)} s)`);
  };
  const ticker = setInterval(tell, 2000);
  const args = ['build', '-v', ...(tight ? ['-p', '1'] : []), ...flags, '-o', target, build.package];
  const { code, stderr } = await run(environment.go, args, {
    cwd,
    env,
    limitSeconds: 3 * 3600,
    onLine: (line) => {
      if (!isPackage(line)) return;
      compiled += 1;
      last = line;
    },
  });
  clearInterval(ticker);
  await rm(`${target}.module`, { recursive: true, force: true });
  if (code !== 0) throw failure(spec, stderr, cwd);
}

/** A line of `go build -v` that names a compiled package, not a download or an error. */
function isPackage(line: string): boolean {
  return /^[\w.~/-]+$/.test(line);
}

async function countPackages(
  go: string,
  build: GoBuild,
  flags: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string | undefined>>,
  spec: ToolSpec,
  progress: Progress,
): Promise<{ stale: number; all: number }> {
  const onLine = (line: string): void => {
    if (line.startsWith('go: downloading')) progress.step(`${spec.name}: ${line.slice(4)}`);
  };
  const format = '{{if .Stale}}stale{{else}}fresh{{end}}';
  const args = ['list', '-deps', '-f', format, ...flags, build.package];
  const { code, stdout, stderr } = await run(go, args, { cwd, env, onLine, limitSeconds: 3600 });
  if (code !== 0) throw failure(spec, stderr, cwd);
  const lines = stdout.trim().split('\n');
  return { stale: lines.filter((line) => line === 'stale').length, all: lines.length };
}

function flagsOf(build: GoBuild): readonly string[] {
  const linker = ['-s', '-w', ...(build.set ?? []).map((setting) => `-X ${setting}`)].join(' ');
  const tags = build.tags === undefined ? [] : ['-tags', build.tags.join(',')];
  return ['-trimpath', '-buildvcs=false', ...tags, '-ldflags', linker];
}

/** What go is run with, so that a person’s own settings change nothing of what is built. */
export function goEnv({ go, cache, env }: GoEnvironment): Readonly<Record<string, string | undefined>> {
  return {
    ...env,
    PATH: `${join(go, '..')}:${env.PATH ?? ''}`,
    // A GOROOT of another Go, or flags meant for a person's own work, would change what is built.
    GOROOT: undefined,
    GOFLAGS: '-mod=readonly',
    GOWORK: 'off',
    GOTOOLCHAIN: 'local',
    GOOS: 'linux',
    GOARCH: 'amd64',
    CGO_ENABLED: '0',
    GOMODCACHE: join(cache, 'go/mod'),
    GOCACHE: join(cache, 'go/build'),
  };
}

function failure(spec: ToolSpec, stderr: string, cwd: string): DelosError {
  const lines = stderr
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('go: downloading') && !isPackage(line));
  const full = /no space left on device/i.exec(stderr) !== null;
  const refused = lines.find((line) => /dial tcp|i\/o timeout|no such host|403|404|410|connection refused/i.test(line));
  const checksum = lines.find((line) => /checksum mismatch|SECURITY ERROR|missing go.sum/i.test(line));
  const told = (checksum ?? refused ?? lines.at(-1) ?? 'no message').slice(0, 300);
  if (full) {
    return new DelosError('ERR_DISK_SPACE', `building ${spec.name} ran out of disk space`, {
      hint: 'free some space and run this again: the build goes on where it was',
    });
  }
  return new DelosError(
    checksum === undefined ? 'ERR_TOOL_UNAVAILABLE' : 'ERR_TOOL_CHECKSUM',
    `${spec.name} ${spec.version} could not be built: ${told}`,
    {
      hint:
        refused === undefined
          ? `to see it all: cd ${cwd} && go build ${spec.build?.package ?? ''}`
          : 'check that Go reaches a module proxy (go env GOPROXY), then run this again: it goes on where it was',
      data: { stderr: lines.slice(-40) },
    },
  );
}

async function requireDisk(spec: ToolSpec, cache: string, needed: number): Promise<void> {
  const { bavail, bsize } = await statfs(cache);
  const free = bavail * bsize;
  if (free >= needed) return;
  throw new DelosError(
    'ERR_DISK_SPACE',
    `building ${spec.name} needs about ${gib(needed)} GiB in ${cache}, ${gib(free)} GiB are free`,
    { hint: 'free some space, or set XDG_CACHE_HOME to a larger disk' },
  );
}

/** Bytes that can be used without swapping, by /proc/meminfo; undefined where there is none. */
async function availableMemory(): Promise<number | undefined> {
  const text = await readFile('/proc/meminfo', 'utf8').catch(() => '');
  const match = /^MemAvailable:\s+(\d+) kB$/m.exec(text);
  return match === null ? undefined : Number(match[1]) * 1024;
}

function gib(bytes: number): string {
  return (bytes / GIB).toFixed(1);
}

function minutes(seconds: number): string {
  return seconds < 90 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}
