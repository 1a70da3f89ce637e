import { CATALOGUE, TOOLS, type ToolName } from '@delos/artifacts';
import { resolveTool } from '@delos/cluster';
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

/**
 * The tools as files, and the Node that runs this.
 * @param more tools that images have, and the site runs as programs too
 * @throws DelosError ERR_BUNDLE_CONTENT for one that is this machine's own: nothing says that it runs elsewhere
 */
export async function toolContent(more: readonly string[], progress: Progress): Promise<Content> {
  const contents: Content[] = [];
  for (const name of toolNames(more)) {
    progress.step(`tool ${name}`);
    const { path, version, from } = await resolveTool(name, progress);
    if (from === 'path') {
      throw contentError(
        `${name} is this machine's own (${path}), and may need more of it than the file`,
        `take it out of PATH: the pinned ${name} ${version} goes into the bundle then`,
      );
    }
    contents.push(await fileContent({ kind: 'tool', name: `${name}/${version}/linux-amd64/${name}`, path }));
  }
  const { node } = process.versions;
  contents.push(
    await fileContent({
      kind: 'tool',
      name: `node/${node}/linux-amd64/node`,
      path: process.execPath,
      about: { licence: 'MIT' },
    }),
  );
  return joined(contents);
}
