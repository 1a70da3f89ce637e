import type { Role } from '../../file/kind.ts';
import { type FlowFile, parseFlowFile } from '../../file/parse.ts';
import type { GitFacts } from './contexts.ts';
import type { Place } from './place.ts';

/** Files that a flow may read. Paths are absolute and POSIX. */
export interface Workspace {
  /** Its folder. */
  readonly root: string;
  /** A file's text, or undefined where there is none. */
  read(path: string): string | undefined;
  /** SHA-256 in hex over the files that match patterns below a folder; undefined where files cannot be read. */
  readonly hashFiles?: (root: string, patterns: readonly string[]) => string;
}

/** All that an expansion takes from outside the file. */
export interface World {
  readonly place: Place;
  readonly workspace: Workspace;
  /** State of git for fields of tasks; undefined: they wait for it. */
  readonly git?: GitFacts;
  /** Files of actions in repositories (`gh:OWNER/REPO@TAG`), where they are at hand. */
  readonly resolveAction?: (reference: string) => { readonly file: string; readonly text: string } | undefined;
  /** Values of parameters. */
  readonly params?: Readonly<Record<string, string>>;
  /** Parameters without a value are waited for, not refused: for checking a file before anyone runs it. */
  readonly openParams?: boolean;
}

/** Why the file of an action is not there. */
interface Missing {
  readonly problem: string;
  readonly unresolved: boolean;
}

/** Files of one expansion, each parsed once. */
export class Files {
  readonly #world: World;
  readonly #parsed = new Map<string, FlowFile>();
  readonly #actions = new Map<string, FlowFile>();
  #project: FlowFile | null | undefined;

  constructor(world: World) {
    this.#world = world;
  }

  /** The project file, from the configuration folder or the workspace; undefined where there is none. */
  project(): FlowFile | undefined {
    if (this.#project === undefined) {
      const { root } = this.#world.workspace;
      const found = [`${root}/.apolo`, `${root}/.neuro`, root]
        .flatMap((folder) => ['.yml', '.yaml'].map((extension) => `${folder}/project${extension}`))
        .map((path) => this.#read(path, 'project'))
        .find((file) => file !== undefined);
      this.#project = found ?? null;
    }
    return this.#project ?? undefined;
  }

  /** Those that were read, by their references as they are written. */
  get actions(): ReadonlyMap<string, FlowFile> {
    return this.#actions;
  }

  /** The file of an action or module; a text says why there is none. */
  action(reference: string): FlowFile | Missing {
    const found = this.#find(reference);
    if ('report' in found) this.#actions.set(reference, found);
    return found;
  }

  #find(reference: string): FlowFile | Missing {
    const [, scheme, spec = ''] = /^([^:]*):(.*)$/s.exec(reference) ?? [];
    if (scheme === undefined)
      return { problem: `\`${reference}\` has no scheme: expected ws:PATH or gh:OWNER/REPO@TAG`, unresolved: false };
    if (scheme === 'ws' || scheme === 'workspace') {
      for (const extension of ['', '.yml', '.yaml']) {
        const path = `${this.#world.workspace.root}/${spec}${extension}`.replace(/\/(?:\.\/)+/g, '/');
        const file = this.#read(path, 'action');
        if (file !== undefined) return file;
      }
      return { problem: `there is no file ${spec}, ${spec}.yml or ${spec}.yaml in the workspace`, unresolved: false };
    }
    if (scheme !== 'gh' && scheme !== 'github') {
      return {
        problem: `the scheme \`${scheme}:\` is not known: expected ws:PATH or gh:OWNER/REPO@TAG`,
        unresolved: false,
      };
    }
    if (!/^[^@]*\/[^@]*@/.test(spec))
      return { problem: `\`${spec}\` is not of the form OWNER/REPO@TAG`, unresolved: false };
    const known = this.#parsed.get(reference);
    if (known !== undefined) return known;
    const resolved = this.#world.resolveAction?.(spec);
    if (resolved === undefined)
      return {
        problem: `\`${reference}\` lies in a repository and is not at hand: its inputs and tasks are not checked`,
        unresolved: true,
      };
    const file = parseFlowFile(resolved.file, resolved.text, 'action');
    this.#parsed.set(reference, file);
    return file;
  }

  /** Every further file that was read. */
  all(): readonly FlowFile[] {
    return [...new Set(this.#parsed.values())];
  }

  #read(path: string, role: Role): FlowFile | undefined {
    const known = this.#parsed.get(path);
    if (known !== undefined) return known;
    const text = this.#world.workspace.read(path);
    if (text === undefined) return undefined;
    const file = parseFlowFile(path, text, role);
    this.#parsed.set(path, file);
    return file;
  }
}
