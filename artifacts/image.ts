import type { MavenArtifact } from './archive.ts';
import type { ToolName } from './tools/tool.ts';

/*
 * Terminology: an image is *ours* (it exists only as built here), a *service* that is published upstream as well, or a
 * *stand-in*: something honest but different that answers a well-known name where its upstream cannot be reached.
 */

/**
 * Every image that Delos runs or answers for, each with its upstream reference, its licence and how it is built where
 * no registry can be reached. `images.source` in delos.yaml decides which of the two is used.
 */
export interface CatalogueImage {
  /** Short name, also its folder under images/ and its repository `MIRROR_HOST/delos/NAME` in the mirror registry. */
  readonly name: string;
  readonly role: 'ours' | 'service' | 'stand-in';
  /** Published reference, tag included; null for an image that exists only as built here. */
  readonly upstream: string | null;
  /** Version of what is inside, the first part of the local tag. */
  readonly version: string;
  /** SPDX expression of what is inside. */
  readonly licence: string;
  /** Further names (host and path, without tag) that the nodes answer by this image. */
  readonly answers: readonly string[];
  /** Tags under which `answers` are answered. A tag that would be a lie is not here. */
  readonly tags: readonly string[];
  /** For a stand-in: its true content, shown in label and status. */
  readonly standIn: string | null;
  /** The local build, beside the Containerfile and the other files of its folder; null: what is published is used everywhere. */
  readonly build: ImageBuild | null;
}

/** An image that can be built here. */
export interface BuildableImage extends CatalogueImage {
  readonly build: ImageBuild;
}

/** How the context of a local build is made, and on which image its Containerfile builds. */
export type ImageBuild = { readonly on: 'nothing' | 'base' | 'user-base' } & (
  | { readonly kind: 'folder' }
  /** A pinned tool, as the executable of its name. */
  | { readonly kind: 'tool'; readonly tool: ToolName }
  | {
      readonly kind: 'archive';
      readonly archive: MavenArtifact;
      /** The one member to take out of the archive, when the archive itself is only a wrapping. @default the archive */
      readonly member?: string;
      /** Its name in the context. A name that ends in `.tar` asks for a member without its compression. */
      readonly file: string;
      /** Files that a wheel brings beside it. @default none */
      readonly wheel?: ImageWheel;
      /** Its Containerfile installs wheels as well, as those of the kind `wheels` do. @default false */
      readonly wheels?: boolean;
    }
  /** Its Containerfile installs the wheels of its `requirements.txt` by /machine/wheels. */
  | { readonly kind: 'wheels' }
  /** The services of this package, bundled, with the Node that runs them. */
  | { readonly kind: 'bundle'; readonly entry: string }
);

/** Files of a PyPI wheel that go into the context of an image's build. */
export interface ImageWheel {
  readonly project: string;
  readonly version: string;
  readonly sha256: string;
  /** Folder of the wheel that the files are named from. */
  readonly from: string;
  /** Folder of the context that gets them, each under its own path. */
  readonly to: string;
  readonly files: readonly string[];
}
