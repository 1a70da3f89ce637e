import { type Block, entriesOf, fieldOf } from '../../file/block.ts';
import { str } from '../../python/text.ts';
import { tryText, type Value } from '../../python/value.ts';
import type { EarlyImage } from '../contexts/images.ts';
import type { ExpandedTask } from '../expanded-task.ts';

/** Bakes copy no local folders. */
export function checkVolumes(blocks: readonly (Block | undefined)[]): void {
  for (const block of blocks) {
    for (const [id, volume] of entriesOf(block, 'volumes')) {
      const local = fieldOf(volume, 'local', 'expr');
      if (local === undefined || local.given === null) continue;
      volume.report.add(
        'FLOW_VOLUME_LOCAL',
        local,
        `the volume \`${id}\` has \`local\`, which batch flows do not take`,
        'remove `local`',
      );
    }
  }
}

/** Images of one reference are built from one place. */
export function checkImages(images: readonly EarlyImage[]): void {
  const byRef = new Map<string, EarlyImage>();
  for (const image of images) {
    const ref = tryText(image.ref);
    if (ref?.startsWith('image:') !== true) continue;
    const first = byRef.get(ref) ?? image;
    byRef.set(ref, first);
    const written = (name: string, of: EarlyImage): string => String(fieldOf(of.block, name, 'expr')?.given ?? '');
    const text = (value: Value): string => (value === null ? '' : str(value));
    const differs = ['context', 'dockerfile'].some(
      (name) =>
        text(image[name as 'context']) !== text(first[name as 'context']) &&
        written(name, image) !== written(name, first),
    );
    if (differs) {
      image.block.report.add(
        'FLOW_IMAGE_BUILD',
        image.block.key ?? image.block,
        `\`${ref}\` is built from another place elsewhere`,
        'images of one `ref` agree on `context` and `dockerfile`',
      );
    }
  }
}

/** A call of a local action, and all that it needs. */
export interface LocalCall {
  readonly id: string;
  readonly needs: readonly string[];
  readonly source: Block;
}

/** Local actions run first: they cannot wait for what runs on the platform. */
export function checkLocals(locals: readonly LocalCall[], tasks: readonly ExpandedTask[]): void {
  const remote = tasks
    .filter(({ kind }) => kind === 'task' || kind === 'stateful' || kind === 'post')
    .map(({ id }) => id);
  for (const { id, needs, source } of locals) {
    const bad = needs.flatMap((need) => remote.filter((task) => task === need || task.startsWith(`${need}.`)))[0];
    if (bad === undefined) continue;
    source.report.add(
      'FLOW_LOCAL_NEEDS',
      fieldOf(source, 'needs', 'needs') ?? fieldOf(source, 'action', 'expr') ?? source,
      `the local action \`${id}\` needs the remote task \`${bad}\``,
      'write `needs: []`, or needs of local actions only',
    );
  }
}
