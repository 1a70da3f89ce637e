import { MIRROR_HOST } from '@delos/artifacts';
import type { Item } from '../format/index-schema.ts';

/** A reference to an image, and who has it. */
export interface Referred {
  readonly reference: string;
  /** `Deployment delos/keycloak` */
  readonly by: string;
}

/** An object of Kubernetes, as far as it is looked at here. */
interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string | undefined };
}

/** Ours are told by their host wherever they stand, in settings of services too. */
const OURS = new RegExp(`${MIRROR_HOST.replaceAll('.', '\\.')}/[\\w./-]+(?::[\\w.-]+)?(?:@sha256:[0-9a-f]{64})?`, 'g');

/** Every image that manifests name: the `image` of a container, and any of ours in whatever text. Each once. */
export function imagesIn(manifests: readonly Manifest[]): readonly Referred[] {
  const found = new Map<string, string>();
  for (const manifest of manifests) {
    const { namespace, name } = manifest.metadata;
    const by = `${manifest.kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`;
    const add = (reference: string): void => void found.set(reference, found.get(reference) ?? by);
    const follow = (value: unknown, key: string): void => {
      if (typeof value === 'string') {
        if (key === 'image' && value !== '') add(value);
        else for (const [reference] of value.matchAll(OURS)) add(reference);
        return;
      }
      if (value === null || typeof value !== 'object') return;
      for (const [below, each] of Object.entries(value)) follow(each, Array.isArray(value) ? key : below);
    };
    follow(manifest, '');
  }
  return [...found].map(([reference, by]) => ({ reference, by }));
}

/** The references that no image of a bundle answers. */
export function unlisted(referred: readonly Referred[], items: readonly Item[]): readonly Referred[] {
  const listed = new Set(
    items.flatMap(({ kind, name, answers = [], descriptor }) =>
      kind === 'image' ? [name, ...answers, `${withoutTag(name)}@${descriptor.digest}`] : [],
    ),
  );
  return referred.filter(({ reference }) => !listed.has(reference));
}

const withoutTag = (reference: string): string => reference.replace(/(:[\w.-]+)?(@sha256:[0-9a-f]{64})?$/, '');
