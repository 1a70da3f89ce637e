/**
 * The user, and the group of the same number, that each add-on of the embedded node runs as. Services have theirs in their
 * descriptors.
 *
 * Without user namespaces these are users of the node too. So no person and no other service of the machine may have them:
 * whoever has the same user reads a process's secrets through /proc. Numbers lie within {@link PART_USERS}, and no two
 * parts share one.
 */
export const ADDON_USERS = {
  coredns: 60620,
  'local-path-provisioner': 60621,
  'metrics-server': 60622,
} as const;

/**
 * The user, and the group of the same number, that the root of the file storage belongs to: those of the service that has the
 * files. Jobs that read or write in it have the group.
 */
export const FILE_STORAGE_USER = 60650;

/**
 * Numbers that parts of the platform may have. Accounts end at 60000, systemd gives out its own on both sides of the
 * range, and a Pod with a user namespace of its own has no number above 65535.
 *
 * @see https://systemd.io/UIDS-GIDS/
 */
export const PART_USERS = { first: 60578, last: 61183 } as const;

/** PostgreSQL's user in releases up to 0.1.0: its data folder may still belong to it. */
export const FORMER_POSTGRES_USER = 999;
