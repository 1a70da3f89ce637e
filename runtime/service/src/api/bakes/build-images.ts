import { DelosError, GPU_FIELDS, type Preset, splitReference, TERMINAL } from '@delos/core';
import type { BuildSpec, ImageAct, ImageEvent } from '@delos/engine';
import { type Home, platformUri, shellQuoted } from '@delos/flow';
import { stopJob } from '../../db/jobs-state.ts';
import type { Tx } from '../../db/schema.ts';
import type { ApiDeps, ApiSettings } from '../deps.ts';
import { checkImageRight } from '../resources/jobs/image-right.ts';
import { parseJobRequest } from '../resources/jobs/request.ts';
import { splitWords } from '../resources/jobs/shlex.ts';
import { submitJob } from '../resources/jobs/submit.ts';
import { hasImage } from '../resources/registry/has-image.ts';
import { ownRegistry, ownRepository } from '../resources/registry/platform-image.ts';
import { imageOf, jobBody } from './job-body.ts';
import type { LoadedBake } from './load.ts';
import { refusal, waits } from './refusal.ts';

/** As the official client starts a build (apolo-extras 26.8, image_builder.py): the platform's builder takes its place. */
const KANIKO = 'gcr.io/kaniko-project/executor:v1.20.0-debug';
const CONTEXT = '/kaniko_context';
const LIFE_SECONDS = 4 * 3600;
const SCHEDULE_SECONDS = 20 * 60;
/** What a preset should have that the client chooses for a build. */
const CPU = 2;
const MEMORY = 4096 * 2 ** 20;

/** What is needed of a bake to build its images. */
interface OfBake {
  readonly loaded: LoadedBake;
  /** Nobody else carries the bake out. @throws Error */
  readonly fence: (tx: Tx) => Promise<void>;
}

/** Carries out what an image needs. @returns what happened; undefined where nothing is known yet, `later` where too many jobs wait already */
export async function carryImageAct(
  deps: ApiDeps,
  of: OfBake,
  act: ImageAct,
): Promise<ImageEvent | 'later' | undefined> {
  try {
    if (act.kind === 'find') return await find(deps, of.loaded, act.ref);
    const row = await deps.database.db
      .selectFrom('jobs')
      .select(['id', 'status'])
      .where('id', '=', act.jobId)
      .executeTakeFirst();
    const { ref, jobId } = act;
    if (act.kind === 'stop') {
      // One that was not made is made by nobody any more: whoever could is fenced off.
      if (row === undefined) return { kind: 'built', ref, jobId, status: 'cancelled' };
      const description = `bake ${of.loaded.attempt.bake} ends`;
      const end = { status: 'cancelled', reason: 'Killed', description } as const;
      const stopped = await deps.database.tx((tx) => stopJob(tx, jobId, end));
      return ended(ref, jobId, stopped?.status ?? row.status);
    }
    if (row !== undefined) return ended(ref, jobId, row.status);
    await build(deps, of, act);
    return undefined;
  } catch (error) {
    if (waits(error)) return 'later';
    const why = refusal(error);
    if (why === undefined) throw error;
    return { kind: 'refused', ref: act.ref, why };
  }
}

function ended(ref: string, jobId: string, status: string): ImageEvent | undefined {
  return TERMINAL.has(status) ? { kind: 'built', ref, jobId, status: status as 'succeeded' } : undefined;
}

async function find(deps: ApiDeps, { home, executor }: LoadedBake, ref: string): Promise<ImageEvent> {
  const { settings } = deps;
  const image = imageOf(ref, home, settings);
  const repository = ownRepository(settings, image);
  if (settings.registry === undefined || repository === undefined) {
    throw new DelosError('ERR_NOT_IMPLEMENTED', 'this platform has no registry of images');
  }
  const caller = await deps.callerById(executor.user);
  await checkImageRight(deps, caller, { meta: {}, container: { image } });
  const { name } = splitReference(image);
  const reference = image.slice(name.length + 1) || 'latest';
  return { kind: 'found', ref, there: await hasImage(settings.registry, repository, reference) };
}

async function build(
  deps: ApiDeps,
  { loaded, fence }: OfBake,
  { build: spec, jobId }: ImageAct & { readonly kind: 'build' },
): Promise<void> {
  const { home, executor, attempt } = loaded;
  if (deps.settings.registry === undefined || deps.settings.builder === undefined) {
    throw new DelosError('ERR_NOT_IMPLEMENTED', 'this platform builds no images');
  }
  const caller = await deps.callerById(executor.user);
  const authorization = await executor.authorization();
  const preset = buildPreset(loaded.presets);
  const body = buildBody(spec, { home, settings: deps.settings, preset, bake: attempt.bake });
  await submitJob(deps, parseJobRequest(body, true), {
    ...{ caller, cluster: home.place.cluster, authorization, id: jobId },
    first: fence,
  });
}

/** The job by which the client would build it, less the file with its user's token: the platform's builder has its own. */
export function buildBody(
  spec: BuildSpec,
  {
    home,
    settings,
    preset,
    bake,
  }: {
    readonly home: Home;
    readonly settings: ApiSettings;
    readonly preset: string | undefined;
    readonly bake: string;
  },
): Record<string, unknown> {
  const { ref, context, dockerfile, args, env, volumes, kanikoArgs } = spec;
  const image = imageOf(ref, home, settings);
  const own = [
    `--context=${CONTEXT}`,
    `--dockerfile=${CONTEXT}/${dockerfile}`,
    `--destination=${image}`,
    '--cache=true',
    `--cache-repo=${ownRegistry(settings)}/${home.place.org}/${home.project}/layer-cache/cache`,
    '--verbosity=info',
    '--image-fs-extract-retry=1',
    '--push-retry=3',
    '--use-new-run=true',
    '--snapshot-mode=redo',
  ];
  const more = kanikoArgs === null ? [] : splitWords(kanikoArgs, 'extra_kaniko_args');
  const keyOf = (word: string): string | undefined => word.split('=')[0];
  const twice = more.find((word) => own.some((each) => keyOf(each) === keyOf(word)));
  if (twice !== undefined) {
    throw new DelosError('ERR_REQUEST', `extra_kaniko_args has ${keyOf(twice)}, which the platform gives itself`);
  }
  const variables = Object.keys(env).filter((name) => !name.includes('NE_REGISTRY_AUTH'));
  const words = [...own, ...[...args, ...variables].flatMap((arg) => ['--build-arg', arg]), ...more];
  return {
    ...jobBody(
      {
        image: KANIKO,
        title: null,
        name: null,
        preset: spec.preset,
        entrypoint: null,
        cmd: words.map(shellQuoted).join(' '),
        workdir: null,
        volumes: [...volumes, `${context}:${CONTEXT}:rw`],
        env: { container: 'docker', ...env },
        tags: [`bake_id:${bake}`, `kaniko-builds-image:${wholeName(ref, home)}`],
        httpPort: null,
        httpAuth: null,
        passConfig: false,
        scheduleTimeout: SCHEDULE_SECONDS,
        lifeSpan: LIFE_SECONDS,
        restart: 'never',
      },
      { home, settings, preset },
    ),
    resources: {},
  };
}

/** As the client names it in the tag of a build. */
function wholeName(ref: string, home: Home): string {
  if (!ref.startsWith('image:')) return ref;
  const { text } = platformUri(ref, home.place, home.project, { short: false });
  return /:[^/]*$/.test(text.slice('image:'.length)) ? text : `${text}:latest`;
}

/** The cheapest that builds well, as the client chooses it; else the first one that may build at all. */
function buildPreset(presets: readonly Preset[]): string | undefined {
  const able = presets.filter(({ security, preemptible }) => security !== 'restricted' && !preemptible);
  const plain = able.filter((preset) => GPU_FIELDS.every((field) => (preset[field]?.count ?? 0) === 0));
  const good = plain.filter(({ cpu, memory }) => cpu >= CPU && memory >= MEMORY);
  const cost = ({ creditsPerHour, memory, cpu }: Preset): readonly number[] => [Number(creditsPerHour), memory, cpu];
  const cheapest = good.toSorted((a, b) => {
    const differs = cost(a)
      .map((value, index) => value - (cost(b)[index] ?? 0))
      .find((by) => by !== 0);
    return differs ?? 0;
  });
  return (cheapest[0] ?? plain[0] ?? able[0] ?? presets[0])?.name;
}
