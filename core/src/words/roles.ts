/*
 * Who may do what.
 */

/** Roles in a project, from the mightiest. */
export const PROJECT_ROLES = ['admin', 'manager', 'writer', 'reader'] as const;
export type ProjectRole = (typeof PROJECT_ROLES)[number];

/** Roles in an organization, from the mightiest: all rights in its projects; its people and projects; none by itself. */
export const ORG_ROLES = ['admin', 'manager', 'user'] as const;
export type OrgRole = (typeof ORG_ROLES)[number];

/** What a caller asks of an object: to see it, or to change it. */
export const RIGHTS = ['read', 'write'] as const;
export type Right = (typeof RIGHTS)[number];

/** What a permission of the official client allows, each with those before it. */
export const ACTIONS = [...RIGHTS, 'manage'] as const;
export type Action = (typeof ACTIONS)[number];
