import { MIRROR_HOST } from '@delos/artifacts';
import { ADDON_IMAGES, ensureImages, type ListedImage, listImages, mirrorStore } from '@delos/cluster';
import { type DelosConfig, engineContext, serviceImages, synthesize, withFileStorage } from '@delos/constructs';
import type { InstancePaths, Progress } from '@delos/core';
import { isDigest } from '../format/digest.ts';
import type { Item } from '../format/index-schema.ts';
import { type Content, contentError, joined } from './content.ts';
import { imageContent, registryStore } from './images.ts';
import { imagesIn, unlisted } from './references.ts';

/** Of which platform, and where its images are built or lie. */
export interface PlatformOptions {
  readonly config: DelosConfig;
  /** Root of the checkout. */
  readonly root: string;
  readonly paths: Pick<InstancePaths, 'cache'>;
  readonly progress: Progress;
  /** Build what the store lacks. Otherwise it is named as not found. */
  readonly build: boolean;
}

/** A service may have one of them too, and not run. */
const OF_THE_NODE: readonly string[] = ADDON_IMAGES;

const optionsOf = ({ config, root, paths }: PlatformOptions) => ({
  root,
  paths,
  // Registries are not asked: what is built from package mirrors has a digest before anything is pulled.
  source: 'local' as const,
  standIns: config.images.standIns,
  leaveOut: leftOut(config),
});

/** Images of the catalogue that neither a service of this platform nor the node has. */
export const leftOut = (config: DelosConfig): readonly string[] =>
  serviceImages(atEmbedded(config)).unwanted.filter((name) => !OF_THE_NODE.includes(name));

/** As the cluster that is embedded sees it. */
const atEmbedded = (config: DelosConfig): DelosConfig =>
  withFileStorage(config, engineContext(config, 'embedded').fileFolder);

/**
 * The images of a platform, by digest, from the store that its builds go into: those that its services run, what the embedded
 * node needs, and the stand-ins that it answers with.
 * @throws DelosError ERR_BUNDLE_CONTENT for one that is published and never built, or not in the store
 */
export async function platformImages(options: PlatformOptions): Promise<Content> {
  const { paths, progress } = options;
  const images = optionsOf(options);
  const listed = await listImages(images);
  for (const each of listed) {
    if (each.state === 'upstream') throw notPinned(each);
  }
  const absent = listed.filter(({ state }) => state === 'absent');
  if (absent.length > 0 && options.build) await ensureImages(images, progress);
  const ready = absent.length > 0 && options.build ? await listImages(images) : listed;
  const lacking = ready.filter(({ digest }) => digest === null || !isDigest(digest));
  if (lacking.length > 0) throw notFound(lacking);
  const store = registryStore(mirrorStore(paths));
  const contents: Content[] = [];
  for (const image of ready) {
    if (image.digest === null || !isDigest(image.digest)) continue;
    contents.push(
      await imageContent(store, {
        name: image.reference,
        digest: image.digest,
        answers: image.answers,
        about: {
          licence: image.licence,
          made: 'built where this bundle was made',
          ...(image.standIn === null ? {} : { 'stand-in': image.standIn }),
        },
      }),
    );
  }
  return joined(contents);
}

/** Fails where a manifest of the platform names an image that is not among the items. @throws DelosError ERR_BUNDLE_CONTENT */
export function checkReferences(config: DelosConfig, items: readonly Item[]): void {
  const images = Object.fromEntries(
    items.flatMap(({ kind, name }) => {
      const short = new RegExp(`^${MIRROR_HOST.replaceAll('.', '\\.')}/delos/([a-z0-9-]+):`).exec(name)?.[1];
      return kind === 'image' && short !== undefined ? [[short, name] as const] : [];
    }),
  );
  const context = engineContext(config, 'embedded');
  const { objects } = synthesize(config, { ...context, images: { ...context.images, ...images } });
  const [first, ...more] = unlisted(imagesIn(objects.map(({ manifest }) => manifest)), items);
  if (first === undefined) return;
  const others = more.length === 0 ? '' : `, and ${more.length} more`;
  throw contentError(
    `${first.by} names the image ${first.reference}, which the bundle does not list${others}`,
    'add it by digest to `bundle.add.images` in delos.yaml',
    { unlisted: [first, ...more] },
  );
}

function notPinned({ name, reference }: ListedImage): Error {
  return contentError(
    `image ${name} is ${reference}, which is not pinned by a digest and not built here`,
    `set services.${name}.enabled: false in delos.yaml, or have its build in artifacts/images`,
    { image: name, reference },
  );
}

function notFound(images: readonly ListedImage[]): Error {
  return contentError(
    images.map(({ name, reference }) => `image ${name} (${reference}) is not found in the store`).join('; '),
    '`delos bundle create` without --offline-check builds what is missing; `delos up` does too',
    { missing: images.map(({ reference }) => reference) },
  );
}
