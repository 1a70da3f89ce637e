import { CATALOGUE, TOOLS, type ToolName } from '@delos/artifacts';
import { toolchain } from '@delos/cluster';
import type { Progress } from '@delos/core';
import { fileContent } from './artifact.ts';
import { type Content, contentError, joined } from './content.ts';

const NAMES = Object.keys(TOOLS) as readonly ToolName[];
const inImages: ReadonlySet<string> = new Set(
  CATALOGUE.flatMap(({ build }) => (build?.kind === 'tool' ? [build.tool] : [])),
);
/** Builds the others, and runs nowhere. */
const BUILDER: ToolName = 'go';

/** Tools that a site runs as programs: all that are pinned, but for what only builds and what only images have. */
export function toolNames(more: readonly string[]): readonly ToolName[] {
  return NAMES.filter((name) => name !== BUILDER && (!inImages.has(name) || more.includes(name)));
}

/** Name of a tool's item. */
export const toolItem = (name: ToolName): string => `${name}/${TOOLS[name].version}/linux-amd64/${name}`;

/**
 * The tools as files.
 * @param more tools that images have, and the site runs as programs too
 * @throws DelosError ERR_BUNDLE_CONTENT for one that is this machine's own: nothing says that it runs elsewhere
 */
export async function toolContent(more: readonly string[], progress: Progress): Promise<Content> {
  const contents: Content[] = [];
  for (const name of toolNames(more)) {
    progress.step(`tool ${name}`);
    const { path, version, from } = await toolchain().resolve(name, progress);
    if (from === 'path') {
      throw contentError(
        `${name} is this machine's own (${path}), and may need more of it than the file`,
        `take it out of PATH: the pinned ${name} ${version} goes into the bundle then`,
      );
    }
    // Of what it was made: a site takes it where its own checkout says the same.
    const key = await toolchain().key(name);
    contents.push(await fileContent({ kind: 'tool', name: toolItem(name), path, about: { key } }));
  }
  return joined(contents);
}
