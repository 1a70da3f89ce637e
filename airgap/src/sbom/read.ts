import { z } from 'zod';
import { contentError } from '../content/content.ts';
import { digestOf } from '../format/digest.ts';
import type { BundleIndex, Item } from '../format/index-schema.ts';
import { spansOf } from '../site/import-plan.ts';
import { PackFiles } from '../site/pack-files.ts';
import { sbomName } from './content.ts';

const MOST_SBOM_BYTES = 64 * 2 ** 20;
const document = z.looseObject({
  components: z.array(
    z.looseObject({
      name: z.string(),
      version: z.string(),
      purl: z.string(),
      licenses: z
        .array(z.looseObject({ expression: z.string().optional(), license: z.object({ name: z.string() }).optional() }))
        .optional(),
    }),
  ),
});

/** A piece of software in an image, as its document says. */
export interface Component {
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly licence: string;
}

/** The image of a bundle that somebody means: by its reference, that without its tag, or its last name. */
export function imageNamed({ items }: BundleIndex, name: string): Item {
  const images = items.filter(({ kind }) => kind === 'image');
  const withoutTag = (reference: string): string => reference.replace(/(:[\w.-]+)?(@sha256:[0-9a-f]{64})?$/, '');
  const found =
    images.find((image) => image.name === name) ??
    images.find((image) => withoutTag(image.name) === name || withoutTag(image.name).endsWith(`/${name}`));
  if (found !== undefined) return found;
  throw contentError(
    `the bundle has no image ${JSON.stringify(name)}`,
    '`delos bundle inspect FOLDER --items` lists them',
  );
}

/** The bytes of an image's document; undefined where this bundle has none. @throws DelosError ERR_BUNDLE_CONTENT for changed bytes */
export async function tryDocument(
  folder: string,
  index: BundleIndex,
  image: Item,
  form: 'cyclonedx' | 'spdx',
): Promise<Buffer | undefined> {
  const name = sbomName(image.name, form);
  const digest = index.items.find((item) => item.kind === 'sbom' && item.name === name)?.parts.at(-1);
  const blob = index.blobs.find((each) => each.digest === digest);
  if (digest === undefined || blob === undefined || blob.size > MOST_SBOM_BYTES) return undefined;
  const packs = new PackFiles(folder);
  try {
    const bytes = await packs.whole(spansOf(index).get(digest) ?? []);
    if (digestOf(bytes) === digest) return bytes;
    throw contentError(`${name} has another digest than the index says`, 'delos bundle verify tells which pack is bad');
  } finally {
    await packs.close();
  }
}

/** What an image consists of; undefined where this bundle does not say. */
export async function tryComponents(
  folder: string,
  index: BundleIndex,
  image: Item,
): Promise<readonly Component[] | undefined> {
  const bytes = await tryDocument(folder, index, image, 'cyclonedx');
  if (bytes === undefined) return undefined;
  return document
    .parse(JSON.parse(bytes.toString('utf8')))
    .components.map(({ name, version, purl, licenses = [] }) => ({
      ...{ name, version, purl },
      licence: licenses.map(({ expression, license }) => expression ?? license?.name ?? '').join(', '),
    }));
}

/** A package that two images have in different versions, or one alone. */
export interface VersionChange {
  readonly type: string;
  readonly name: string;
  readonly before: readonly string[];
  readonly after: readonly string[];
}

export function versionChanges(before: readonly Component[], after: readonly Component[]): readonly VersionChange[] {
  const keyOf = ({ purl }: Component): string => purl.slice('pkg:'.length, purl.lastIndexOf('@'));
  const old = Map.groupBy(before, keyOf);
  const young = Map.groupBy(after, keyOf);
  return [...new Set([...old.keys(), ...young.keys()])].toSorted().flatMap((key) => {
    const [was, is] = [old, young].map((each) => (each.get(key) ?? []).map(({ version }) => version));
    const name = (young.get(key) ?? old.get(key))?.[0]?.name ?? key;
    if (was === undefined || is === undefined || was.join() === is.join()) return [];
    return [{ type: key.slice(0, key.indexOf('/')), name, before: was, after: is }];
  });
}
