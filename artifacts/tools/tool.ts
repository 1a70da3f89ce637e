/*
 * Terminology: a *tool* is an executable that Delos needs in one pinned version. It is *found* on PATH, *kept* in the
 * cache, *fetched* as an official release, or *built* from its Go module, in this order.
 */

export type ToolName =
  | 'go'
  | 'kube'
  | 'pulumi'
  | 'coredns'
  | 'registry'
  | 'crane'
  | 'metrics-server'
  | 'local-path-provisioner'
  | 'caddy'
  | 'pause'
  | 'cni-gate'
  | 'runc-guard'
  | 'prometheus'
  | 'alertmanager'
  | 'node_exporter'
  | 'kube-state-metrics'
  | 'victoria-logs'
  | 'objects'
  | 'depot'
  | 'pg-archive'
  | 'files'
  | 'image-registry'
  | 'image-builder'
  | 'image-saver'
  | 'metrics-proxy'
  | 'job-router';

/** One tool and the ways to it. All of it goes into the cache key, so that a changed pin is a new entry. */
export interface ToolSpec {
  readonly name: ToolName;
  /** Without a leading `v`. */
  readonly version: string;
  /** Undefined: never taken from PATH. */
  readonly onPath?: PathProbe;
  readonly release?: Release;
  readonly wheel?: Wheel;
  readonly build?: GoBuild;
}

/** Commands that have to be on PATH and to name a fitting version, all of them. */
export interface PathProbe {
  readonly commands: readonly VersionProbe[];
  /** Only a statically linked executable will do, since it goes into an image without a C library. */
  readonly static?: boolean;
}

export interface VersionProbe {
  readonly command: string;
  readonly args: readonly string[];
  /** First group: the version, in what the command prints. */
  readonly pattern: RegExp;
  /** Lowest fitting version. @default the tool's own */
  readonly atLeast?: string;
  /** How much of the version has to be equal: `minor` for what follows Kubernetes' skew policy. @default 'major' */
  readonly same?: 'major' | 'minor';
}

/** Files of an official release. With more than one, the tool is a folder of commands and a dispatcher before them. */
export interface Release {
  readonly files: readonly ReleaseFile[];
}

export interface ReleaseFile {
  readonly url: string;
  /** Where the publisher keeps the checksum, for whoever pins the next version. Nothing reads it: whoever could change the file could change this. */
  readonly checksums: string;
  /** Pinned digest, hex. A release with a file that has none is not fetched: the tool is built, from sources that go.sum pins. */
  readonly sha256?: string;
  /** Path inside a .tar.gz; undefined: the file is the executable. */
  readonly member?: string;
  /** Name of the executable, for a release of several. */
  readonly command?: string;
  /** Unpack everything below this folder, not `member` alone. */
  readonly tree?: string;
}

/** A PyPI wheel that holds the tool, for sites whose package mirrors are all they reach. */
export interface Wheel {
  readonly project: string;
  readonly version: string;
  readonly sha256: string;
  /** Path of the executable inside the wheel. */
  readonly member: string;
  /** Folders inside the wheel whose files are executables; zip unpackers lose the mode. */
  readonly executables: readonly string[];
}

export interface GoBuild {
  /** Folder under artifacts/go with its go.mod and go.sum. */
  readonly module: string;
  readonly package: string;
  /** `-X` settings, as `importpath.name=value`. */
  readonly set?: readonly string[];
  /** Build tags. @default none */
  readonly tags?: readonly string[];
  /** What a module embeds and lacks as module proxies serve it. @default nothing */
  readonly lacking?: LackingFiles;
  /** Measured on two cores with an empty cache. */
  readonly cold: { readonly seconds: number; readonly diskBytes: number; readonly memoryBytes: number };
}

/** Files that are put into a copy of a module before it is built. */
export interface LackingFiles {
  /** Path of the module. */
  readonly module: string;
  /** Path in the module → text. */
  readonly files: Readonly<Record<string, string>>;
}
