import { CLIENTS } from '@delos/artifacts';
import type { DelosConfig } from '@delos/constructs';
import { type DelosError, type InstancePaths, isDelosError, type Progress } from '@delos/core';
import { sbomContent } from '../sbom/content.ts';
import { addedPackages, additions } from './additions.ts';
import { type Content, contentError, joined } from './content.ts';
import { debianContent } from './debian.ts';
import { nodeContent } from './node.ts';
import { npmContent } from './npm.ts';
import { checkReferences, platformImages } from './platform.ts';
import { toolContent } from './tools.ts';
import { pinnedWheels, wheelContent } from './wheels.ts';

/** Parts of a bundle that can be made by themselves. */
export const PARTS = ['images', 'wheels', 'tools', 'npm', 'debian', 'sbom'] as const;
export type Part = (typeof PARTS)[number];

export interface GatherOptions {
  readonly config: DelosConfig;
  /** Folder that paths in delos.yaml are relative to. */
  readonly folder: string;
  /** Root of the checkout. */
  readonly root: string;
  readonly paths: Pick<InstancePaths, 'cache'>;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  /** Build and fetch what is not there. Otherwise it is named as not found. */
  readonly fetch: boolean;
  /** @default all */
  readonly parts?: readonly Part[];
  /** Tools that the site runs as programs beside those that only nodes run. */
  readonly moreTools: readonly string[];
  /** Files of requirements, each pinned by digests, of programs that the site runs; and for which versions of Python. */
  readonly moreWheels: readonly { readonly file: string; readonly pythons: readonly string[] }[];
}

/** What goes into a bundle, and what to take away once it is written. */
export interface Gathered {
  readonly content: Content;
  readonly end: () => Promise<void>;
}

/**
 * Finds all that a platform needs: its images and the embedded node's, the clients with their closure, tools, and what
 * `bundle.add` names. What a manifest of the platform names and nothing here has is an error.
 * @throws DelosError ERR_BUNDLE_CONTENT
 */
export async function gather(options: GatherOptions): Promise<Gathered> {
  const { config, root, paths, progress, signal, fetch, parts = PARTS } = options;
  const { add, pythons } = config.bundle;
  const added = await additions({ add, folder: options.folder, paths, progress, signal, fetch });
  try {
    const contents: Content[] = [added.content];
    const packages = [
      ...Object.values(CLIENTS).map(({ project, version }) => `${project}==${version}`),
      ...addedPackages(add),
    ];
    const own = { root, paths, progress, signal, fetch };
    const sources: Readonly<Record<Part, () => Promise<Content>>> = {
      images: () => platformImages({ config, root, paths, progress, build: fetch }),
      wheels: async () => {
        const found = [await wheelContent({ packages, pythons, paths, progress, signal, fetch })];
        for (const { file, pythons: versions } of options.moreWheels)
          found.push(await pinnedWheels(file, { pythons: versions, paths, progress, signal, fetch }));
        return joined(found);
      },
      tools: async () => joined([await toolContent(options.moreTools, progress), await nodeContent(own)]),
      npm: () => npmContent(own),
      debian: () => debianContent(own),
      // Made of the images that are found before.
      sbom: () => (fetch ? sbomContent(joined(contents), own) : Promise.resolve({ items: [], blobs: new Map() })),
    };
    const missing: DelosError[] = [];
    for (const part of PARTS.filter((each) => parts.includes(each))) {
      const found = await sources[part]().catch((error: unknown) => {
        // A check tells all that is missing; whoever makes a bundle mends one after the other.
        if (fetch || !isDelosError(error, 'ERR_BUNDLE_CONTENT')) throw error;
        missing.push(error);
      });
      if (found !== undefined) contents.push(found);
    }
    const [first, ...more] = missing;
    if (first !== undefined) throw more.length === 0 ? first : allMissing(missing);
    const content = joined(contents);
    if (parts.includes('images')) checkReferences(config, content.items);
    if (content.items.length === 0)
      throw contentError('there is nothing to bundle', `name a part: ${PARTS.join(', ')}`);
    return { content, end: added.end };
  } catch (error) {
    await added.end();
    throw error;
  }
}

const allMissing = (errors: readonly DelosError[]): DelosError =>
  contentError(
    errors.map(({ message }) => message).join('; '),
    errors[0]?.hint ?? '`delos bundle create` without --offline-check brings what is missing',
    { missing: errors.map(({ message }) => message) },
  );
