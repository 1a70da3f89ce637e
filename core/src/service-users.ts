/**
 * The user, and the group of the same number, that each part runs as. Without user namespaces these are users of the
 * node too, so no person and no other service of the machine may have them: whoever has the same user reads a
 * process's secrets through /proc. A part shares its number with no other part.
 *
 * The numbers lie in 60578–61183. Accounts end at 60000, systemd gives out its own on both sides of the range, and a
 * Pod with a user namespace of its own has no number above 65535.
 *
 * @see https://systemd.io/UIDS-GIDS/
 */
export const SERVICE_USERS = {
  postgres: 60600,
  keycloak: 60601,
  gateway: 60602,
  'control-api': 60603,
  scheduler: 60604,
  agent: 60605,
  collector: 60606,
  // Add-ons of the embedded node.
  coredns: 60620,
  'local-path-provisioner': 60621,
  'metrics-server': 60622,
} as const;

/** PostgreSQL's user in releases up to 0.1.0: its data folder may still belong to it. */
export const FORMER_POSTGRES_USER = 999;
