/**
 * Every image that Delos runs or answers for, each with its upstream reference, its licence and how it is built where
 * no registry can be reached. `images.source` in delos.yaml decides which of the two is used.
 */
export interface CatalogueImage {
  /** Short name, also its folder under images/ and its repository under `delos/` in the mirror registry. */
  readonly name: string;
  readonly role: 'ours' | 'service' | 'user' | 'stand-in';
  /** Published reference, tag included; null for an image that exists only as built here. */
  readonly upstream: string | null;
  /** SPDX expression of what is inside. */
  readonly licence: string;
  /** Further names (without tag) that the nodes answer by this image. */
  readonly answers: readonly string[];
  /** For a stand-in: what it really is, shown in label, status and job description. */
  readonly standInFor: string | null;
}

export const CATALOGUE: readonly CatalogueImage[] = [];
