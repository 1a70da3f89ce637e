import { splitReference } from '@delos/core';
import type { JobContainer } from '../request.ts';
import { splitWords } from '../shlex.ts';
import { type Flag, readFlags, wordsOfFlags } from './kaniko-flags.ts';

/** The image by which the official client builds (apolo-extras, image_builder.py), whatever its tag. */
const KANIKO = 'gcr.io/kaniko-project/executor';
/** Where the client mounts credentials: one file, or, where variables hold more of them, the first of several. */
export const CLIENT_KEYS: readonly string[] = ['/kaniko/.docker/config.json', '/kaniko/.docker/config_base.json'];
/** What the client runs before the build where variables hold credentials. Our builder reads those itself. */
const MERGED = /^sh \/kaniko\/\.docker\/merge_docker_auths\.sh && executor ([\s\S]*)$/;
/** A shell would make something else of a word with one of these. */
const SHELL = /[$`;|&<>()*?~#!{}\n]/;

/** A job by which an image shall be built. */
export interface Build {
  /** Arguments of the builder. */
  readonly args: readonly string[];
  /** Repositories, without tags, that it pushes to. */
  readonly pushes: readonly string[];
}

export interface BuildPlace {
  /** `HOST[:PORT]` of the platform's own registry. */
  readonly registry: string;
  /** The job's. */
  readonly org: string;
  readonly project: string;
}

/**
 * Knows a build by the whole of what the job is: Kaniko's image, started as the client starts it, and with flags alone that our
 * builder has. Anything else is no build, and runs as it is.
 */
export function recognizeBuild(
  container: Pick<JobContainer, 'image' | 'entrypoint' | 'command' | 'working_dir'>,
  place: BuildPlace,
): Build | undefined {
  if (splitReference(container.image).name !== KANIKO || container.working_dir) return undefined;
  const given = wordsOf(container);
  const flags = given === undefined ? undefined : readFlags(given);
  if (flags === undefined || !flags.every(isTaken)) return undefined;
  const whole = flags.map((flag) =>
    flag.name === 'cache-repo' ? { ...flag, value: cacheRepo(flag.value, place) } : flag,
  );
  const named = (name: string): readonly string[] =>
    whole.filter((flag) => flag.name === name).map(({ value }) => value);
  const pushed = isOn(whole, 'no-push') ? [] : named('destination');
  const cached = isOn(whole, 'cache') ? named('cache-repo') : [];
  if (pushed.length + named('no-push').length === 0) return undefined;
  return {
    args: wordsOfFlags(whole),
    pushes: [...new Set([...pushed, ...cached].map((name) => splitReference(name).name))],
  };
}

/** Undefined for a way to start that is not the client's. */
function wordsOf({ entrypoint, command }: Pick<JobContainer, 'entrypoint' | 'command'>): readonly string[] | undefined {
  if (!entrypoint) return command ? splitWords(command, 'command') : undefined;
  if (command) return undefined;
  const [shell, option, script, ...more] = splitWords(entrypoint, 'entrypoint');
  const [, rest] = MERGED.exec(script ?? '') ?? [];
  if (shell !== 'sh' || option !== '-c' || more.length > 0 || rest === undefined || SHELL.test(rest)) return undefined;
  return splitWords(rest, 'entrypoint');
}

/** A context elsewhere than in a folder is fetched by Kaniko alone. */
const isTaken = ({ name, value }: Flag): boolean => name !== 'context' || /^(?:dir:\/)?\//.test(value);

const isOn = (flags: readonly Flag[], name: string): boolean =>
  flags.some((flag) => flag.name === name && /^(true|1|t)$/i.test(flag.value));

/**
 * The client takes all from the first colon on for a tag, so that of a registry with a port the host alone is left. Layers are then
 * kept where the client meant them.
 */
function cacheRepo(given: string, { registry, org, project }: BuildPlace): string {
  const isCut = !given.includes('/') && given === registry.replace(/:\d+$/, '');
  return isCut ? `${registry}/${org}/${project}/layer-cache/cache` : given;
}
