import { createHash } from 'node:crypto';
import { cp, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type BuildableImage,
  CATALOGUE,
  type CatalogueImage,
  MIRROR_HOST,
  STAND_IN_FOR_LABEL,
  STAND_IN_LABEL,
} from '@delos/artifacts';
import { DelosError, type InstancePaths, type Progress } from '@delos/core';
import { refuseOffline, run, withFileLock } from '@delos/host';
import { type Toolchain, toolchain } from '../toolchain/index.ts';
import { BASE_RECIPE, type BaseImage, ensureBase } from './base.ts';
import { findBuilder, type ImageBuilder } from './builder.ts';
import { prepareMachine, tryDebian } from './machine.ts';
import { folderHash, type Recipe, type RecipeHost, recipeOf, textHash } from './recipes.ts';
import { dropDamaged, mirrorStore, tryStored, withRegistry } from './store.ts';
import { wayTo } from './way.ts';

export interface ImageOptions {
  /** Names of the catalogue. @default all; stand-ins as `standIns` says */
  readonly names?: readonly string[];
  /** Root of the checkout. */
  readonly root: string;
  readonly paths: Pick<InstancePaths, 'cache'>;
  /** `upstream`: what is published is pulled, only ours are built. `auto` and `local`: all are built here. */
  readonly source: 'auto' | 'upstream' | 'local';
  readonly standIns: boolean;
  /** Of all, not these: no service of this platform uses them. @default none */
  readonly leaveOut?: readonly string[];
  /** @default this user's */
  readonly tools?: Toolchain;
}

/** An image that is in the store, or will be. */
export interface PlannedImage {
  readonly image: BuildableImage;
  readonly recipe: Recipe;
  readonly tag: string;
  /** Repository in the mirror store. */
  readonly repository: string;
  /** Name that a Pod asks for. */
  readonly reference: string;
}

const STAND_IN_PREFIX = 'stand-in';
/** Folder of the images in the checkout. */
const IMAGES = 'artifacts/images';

/**
 * Makes sure that the mirror store serves the images of these names, and says by which reference each is pulled. An
 * image is built only when something that goes into it has changed. Safe to kill at any moment and to call twice at
 * once: an image is in the store whole or not at all.
 * @throws DelosError ERR_IMAGE_UNKNOWN, ERR_IMAGE_BUILD, ERR_TOOL_UNAVAILABLE, ERR_TOOL_CHECKSUM, ERR_DISK_SPACE
 */
export async function ensureImages(
  options: ImageOptions,
  progress: Progress,
): Promise<Readonly<Record<string, string>>> {
  const references: Record<string, string> = {};
  const planned: PlannedImage[] = [];
  const host = recipeHost(options);
  for (const image of wantedImages(options)) {
    const way = wayTo(image, options.source);
    if (way.kind === 'published') {
      references[image.name] = way.reference;
      continue;
    }
    const plan = await planImage(way.image, host);
    planned.push(plan);
    references[image.name] = plan.reference;
  }
  const store = mirrorStore(options.paths);
  const absent = await missing(store, planned);
  if (absent.length === 0) return references;
  refuseOffline(absent.map(({ reference }) => `image ${reference}`).join(', '));
  const lock = join(options.paths.cache, 'images/lock');
  const waiting = {
    purpose: 'building images',
    limitSeconds: 3600,
    onWait: (holder: { pid: number } | undefined, silent: number): void =>
      progress.step(`waiting for process ${holder?.pid ?? '?'}, which builds images (last sign ${silent} s ago)`),
  };
  await withFileLock(lock, waiting, async () => {
    const todo = await missing(store, planned);
    if (todo.length > 0) await buildAll(todo, host, store, progress);
  });
  return references;
}

/** The plan of one image. Its tag depends on everything that goes in. Nothing is built. */
export async function planImage(image: BuildableImage, host: RecipeHost): Promise<PlannedImage> {
  const recipe = recipeOf(image);
  const images = join(host.root, IMAGES);
  const hash = createHash('sha256')
    .update(await folderHash(join(images, image.name)))
    .update(await recipe.inputs(host))
    .update(JSON.stringify(labelsOf(image, 'base')));
  if (image.build.on !== 'nothing') hash.update(await baseKey(images));
  if (image.build.on === 'user-base') hash.update(await folderHash(join(images, 'user-base')));
  const tag = `${image.version}-${hash.digest('hex').slice(0, 12)}`;
  const repository = `${MIRROR_HOST}/delos/${image.name}`;
  return { image, recipe, tag, repository, reference: `${repository}:${tag}` };
}

/** Repositories and tags of the store under which an image is found beside its own. */
export function answeredAs(image: CatalogueImage): readonly { readonly repository: string; readonly tag: string }[] {
  const prefix = image.standIn === null ? '' : `${STAND_IN_PREFIX}/`;
  return image.answers.flatMap((name) => image.tags.map((tag) => ({ repository: `${prefix}${name}`, tag })));
}

export function recipeHost(options: Pick<ImageOptions, 'root' | 'paths' | 'tools'>): RecipeHost {
  return { root: options.root, cache: options.paths.cache, tools: options.tools ?? toolchain() };
}

/** Which images of the catalogue are meant. @throws DelosError ERR_IMAGE_UNKNOWN */
export function wantedImages(
  options: Pick<ImageOptions, 'names' | 'standIns' | 'leaveOut'>,
): readonly CatalogueImage[] {
  if (options.names === undefined) {
    const { standIns, leaveOut = [] } = options;
    return CATALOGUE.filter(({ name, role }) => (standIns || role !== 'stand-in') && !leaveOut.includes(name));
  }
  return options.names.map((name) => {
    const image = CATALOGUE.find((image) => image.name === name);
    if (image === undefined) throw unknown(name);
    return image;
  });
}

async function missing(store: string, planned: readonly PlannedImage[]): Promise<readonly PlannedImage[]> {
  const absent: PlannedImage[] = [];
  for (const plan of planned) {
    const own = await tryStored(store, plan.repository, plan.tag);
    const others = await Promise.all(answeredAs(plan.image).map((as) => tryStored(store, as.repository, as.tag)));
    if (own === undefined || others.some((other) => other?.digest !== own.digest)) absent.push(plan);
  }
  return absent;
}

async function buildAll(
  todo: readonly PlannedImage[],
  host: RecipeHost,
  store: string,
  progress: Progress,
): Promise<void> {
  const work = join(host.cache, 'images/work');
  await rm(work, { recursive: true, force: true });
  await mkdir(work, { recursive: true });
  const images = join(host.root, IMAGES);
  const registry = await host.tools.resolve('registry', progress);
  const crane = await host.tools.resolve('crane', progress);
  const builder = await findBuilder(join(host.cache, 'images/buildah'), progress);
  await builder.clean([]);
  const machine = join(work, 'machine');
  const debian = await tryDebian();
  await prepareMachine(machine, images, debian);
  const key = await baseKey(images);
  let base: BaseImage | undefined;
  const onBase = async (): Promise<BaseImage> => {
    base ??= await ensureBase(builder, { images, work: join(work, 'base'), machine, key }, debian, progress);
    return base;
  };
  await withRegistry(registry.path, store, async (endpoint) => {
    for (const [index, plan] of todo.entries()) {
      const name = plan.image.name;
      progress.step(`image ${name} (${index + 1} of ${todo.length})`);
      try {
        if ((await tryStored(store, plan.repository, plan.tag)) === undefined) {
          await dropDamaged(store, plan.repository, plan.tag);
          const local = await buildOne(plan, { builder, host, work, machine, images, onBase }, progress);
          progress.step(`image ${name}: storing it`);
          await builder.push(local, `${endpoint}/${plan.repository}:${plan.tag}`);
          // Images that others are built on stay.
          if (name !== 'user-base') await builder.clean([local]);
        }
        for (const as of answeredAs(plan.image)) {
          await copy(
            crane.path,
            `${endpoint}/${plan.repository}:${plan.tag}`,
            `${endpoint}/${as.repository}:${as.tag}`,
          );
        }
      } catch (error) {
        // The platform runs without it; a job that asks for the name gets ErrImagePull.
        if (plan.image.role !== 'stand-in' || !(error instanceof DelosError)) throw error;
        progress.warn(`no stand-in for ${plan.image.answers.join(', ')}: ${error.message}`);
      }
    }
  });
  await rm(work, { recursive: true, force: true });
}

interface Workshop {
  readonly builder: ImageBuilder;
  readonly host: RecipeHost;
  readonly work: string;
  readonly machine: string;
  readonly images: string;
  readonly onBase: () => Promise<BaseImage>;
}

async function buildOne(plan: PlannedImage, workshop: Workshop, progress: Progress): Promise<string> {
  const { builder, host, work, machine, images } = workshop;
  const { image, recipe } = plan;
  const local = `localhost/delos/${image.name}:${plan.tag}`;
  const context = join(work, image.name);
  await rm(context, { recursive: true, force: true });
  await cp(join(images, image.name), context, { recursive: true });
  await recipe.prepare(context, host, progress);
  const base = image.build.on === 'nothing' ? undefined : await workshop.onBase();
  const args: Record<string, string> = base === undefined ? {} : { BASE: base.name };
  if (image.build.on === 'user-base') {
    const way = wayTo(catalogueImage('user-base'), 'local');
    if (way.kind !== 'built') throw unknown('user-base');
    const parent = await planImage(way.image, host);
    const name = `localhost/delos/user-base:${parent.tag}`;
    args.USER_BASE = (await builder.has(name)) ? name : await buildOne(parent, workshop, progress);
  }
  const labels = labelsOf(image, base?.title ?? 'nothing');
  const layered = recipe.layered ?? false;
  await builder.build(
    { folder: join(images, image.name), context, machine, args, labels, name: local, layered },
    progress,
  );
  await rm(context, { recursive: true, force: true });
  return local;
}

/** Labels after the OCI image specification's annotation keys, and ours. */
function labelsOf(image: CatalogueImage, base: string): Readonly<Record<string, string>> {
  return {
    'org.opencontainers.image.title': image.name,
    'org.opencontainers.image.version': image.version,
    'org.opencontainers.image.licenses': image.licence,
    'dev.delos.base': base,
    ...(image.standIn === null
      ? {}
      : { [STAND_IN_LABEL]: image.standIn, [STAND_IN_FOR_LABEL]: image.answers.join(',') }),
  };
}

async function baseKey(images: string): Promise<string> {
  const files = await textHash(join(images, 'base/Containerfile'), join(images, 'machine/install'));
  return createHash('sha256').update(files).update(BASE_RECIPE).digest('hex').slice(0, 12);
}

async function copy(crane: string, from: string, to: string): Promise<void> {
  const { code, stderr } = await run(crane, ['copy', '--insecure', from, to], { limitSeconds: 300 });
  if (code === 0) return;
  throw new DelosError('ERR_IMAGE_BUILD', `${to} could not be stored: ${stderr.trim().split('\n').at(-1) ?? ''}`, {
    hint: 'check the free disk space of the cache, then run this again',
  });
}

function catalogueImage(name: string): CatalogueImage {
  const image = CATALOGUE.find((image) => image.name === name);
  if (image === undefined) throw unknown(name);
  return image;
}

function unknown(name: string): DelosError {
  return new DelosError('ERR_IMAGE_UNKNOWN', `no image of the catalogue is called ${JSON.stringify(name)}`, {
    hint: `one of: ${CATALOGUE.map((image) => image.name).join(', ')}`,
  });
}
