import { MIRROR_HOST } from '@delos/artifacts';
import { answeredAs, type ImageOptions, planImage, recipeHost, wantedImages } from './ensure.ts';
import { mirrorStore, tryStored } from './store.ts';
import { wayTo } from './way.ts';

export interface ListedImage {
  readonly name: string;
  readonly role: 'ours' | 'service' | 'stand-in';
  /** Name by which the nodes pull it. */
  readonly reference: string;
  readonly licence: string;
  /** `stored`: the mirror serves it; `upstream`: the nodes pull it; `absent`: the next `up` builds it. */
  readonly state: 'stored' | 'upstream' | 'absent';
  /** Further names that it answers where it is stored, tags included. */
  readonly answers: readonly string[];
  /** Of the stored image's manifest; null where there is none in the store. */
  readonly digest: string | null;
  /** What a stand-in really is. */
  readonly standIn: string | null;
}

/** Every image of the catalogue as it stands now, for `status`. Builds and fetches nothing. */
export async function listImages(
  options: Pick<ImageOptions, 'root' | 'paths' | 'source' | 'standIns' | 'tools' | 'leaveOut'>,
): Promise<readonly ListedImage[]> {
  const host = recipeHost(options);
  const store = mirrorStore(options.paths);
  const listed: ListedImage[] = [];
  for (const image of wantedImages(options)) {
    const { name, role, licence, standIn } = image;
    const shared = {
      name,
      role,
      licence,
      standIn,
      answers: answeredAs(image).map(({ repository, tag }) => `${repository.replace(/^stand-in\//, '')}:${tag}`),
    };
    const way = wayTo(image, options.source);
    if (way.kind === 'published') {
      listed.push({ ...shared, reference: way.reference, state: 'upstream', digest: null });
      continue;
    }
    const { tag } = await planImage(way.image, host);
    const reference = `${MIRROR_HOST}/delos/${name}:${tag}`;
    const stored = await tryStored(store, `${MIRROR_HOST}/delos/${name}`, tag);
    listed.push({
      ...shared,
      reference,
      state: stored === undefined ? 'absent' : 'stored',
      digest: stored?.digest ?? null,
    });
  }
  return listed;
}
