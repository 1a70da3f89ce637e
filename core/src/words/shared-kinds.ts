/** What single things of can be shared with `apolo acl grant`, by the scheme of their URIs. */
export const SHARED_KINDS = ['job', 'disk', 'blob', 'image', 'secret', 'storage'] as const;
export type SharedKind = (typeof SHARED_KINDS)[number];
