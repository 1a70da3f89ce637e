import { z } from 'zod';
import { digest } from './digest.ts';

/*
 * The index of a bundle, `bundle.json`: what is in it (items), of which blobs each consists, and in which pack each blob
 * lies. docs/bundle-format.md is its specification, and docs/bundle-index.schema.json is made from this.
 */

export const FORMAT = 'delos-bundle/1';

/** Files of a bundle's folder. */
export const INDEX_FILE = 'bundle.json';
export const SIGNATURE_FILE = 'bundle.json.dsse';
export const PACKS_FOLDER = 'packs';
export const KEYS_FOLDER = 'keys';

/** The most that is read into memory as a whole. An index of a hundred thousand blobs has about 40 MiB. */
export const MOST_INDEX_BYTES = 64 * 2 ** 20;
export const MOST_SIGNATURE_BYTES = 2 ** 20;
/** As registries have it. */
export const MOST_MANIFEST_BYTES = 4 * 2 ** 20;

const MOST_ITEMS = 20_000;
const MOST_BLOBS = 100_000;
const MOST_PACKS = 20_000;

const bytes = z.int().nonnegative().max(Number.MAX_SAFE_INTEGER);
const mediaType = z
  .string()
  .regex(/^[a-z]+\/[a-zA-Z0-9.+_-]{1,120}$/, 'expected a media type, such as application/json');

/** A descriptor of the OCI image specification. */
export const descriptor = z.strictObject({
  mediaType,
  digest,
  size: bytes.describe('In bytes'),
  artifactType: mediaType.optional(),
  platform: z.strictObject({ os: z.string(), architecture: z.string(), variant: z.string().optional() }).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
});
export type Descriptor = z.infer<typeof descriptor>;

/** Annotation of the OCI image specification: by which name an item of a layout is asked for. */
export const REF_NAME = 'org.opencontainers.image.ref.name';

export const ITEM_KINDS = ['image', 'wheel', 'npm', 'deb', 'chart', 'tool', 'file', 'sbom'] as const;
export type ItemKind = (typeof ITEM_KINDS)[number];

export const item = z.strictObject({
  kind: z.enum(ITEM_KINDS),
  name: z
    .string()
    .min(1)
    .max(400)
    .regex(/^\w[\w.+:~@/-]*$/, 'expected a letter or digit, then letters, digits and . + : ~ @ / - _')
    .refine((name) => !name.split('/').some((part) => part === '' || part === '.' || part === '..'), 'leads elsewhere')
    .describe('Of an image: the reference by which nodes ask for it. Of others: a path of its own'),
  answers: z.array(z.string().max(400)).optional().describe('Further references that this image answers'),
  descriptor: descriptor.describe('Its manifest. Each item is an OCI manifest, files as artifacts of one layer'),
  parts: z.array(digest).max(2000).describe('All blobs that the manifest leads to, in order, without itself'),
  manifests: z
    .array(digest)
    .max(200)
    .optional()
    .describe('Of an image for several platforms: which of its parts are manifests, in order'),
  about: z
    .record(z.string(), z.string())
    .optional()
    .describe('For people: licence, version, what a stand-in really is'),
});
export type Item = z.infer<typeof item>;

export const sizedBlob = z.strictObject({ digest, size: bytes.describe('In bytes') });
export type SizedBlob = z.infer<typeof sizedBlob>;

export const piece = z.strictObject({
  blob: digest,
  from: bytes.describe('Where in the blob it begins'),
  size: bytes.describe('In bytes'),
});
export type Piece = z.infer<typeof piece>;

export const packEntry = z.strictObject({
  digest: digest.describe('Of the pack, a tar file; also its name'),
  size: bytes.describe('In bytes'),
  pieces: z.array(piece).min(1).max(MOST_BLOBS),
});
export type PackEntry = z.infer<typeof packEntry>;

export const bundleIndex = z.strictObject({
  format: z.literal(FORMAT),
  name: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,62}$/)
    .describe('What is bundled'),
  release: z
    .string()
    .regex(/^\d+\.\d+\.\d+$/)
    .describe('Version of Delos that it holds'),
  createdAt: z.iso.datetime().describe('Given by whoever makes it, so that the same inputs give the same bytes'),
  made: z
    .enum(['of-local-builds', 'of-published-images', 'of-both'])
    .describe('Where its images come from: built where the bundle was made, or pulled as their makers publish them'),
  since: z
    .strictObject({ kind: z.enum(['index', 'inventory']), digest })
    .optional()
    .describe('Of a delta: what it builds on'),
  keys: z
    .array(z.strictObject({ version: z.int().min(1), list: digest, signature: digest }))
    .max(1000)
    .describe('Lists of keys in the folder keys, in order of their versions'),
  items: z.array(item).min(1).max(MOST_ITEMS),
  blobs: z.array(sizedBlob).max(MOST_BLOBS).describe('What the packs hold, sorted by digest'),
  base: z
    .array(sizedBlob)
    .max(MOST_BLOBS)
    .describe('Of a delta: blobs that must be at the site already, sorted by digest'),
  packs: z.array(packEntry).max(MOST_PACKS),
});
export type BundleIndex = z.infer<typeof bundleIndex>;
