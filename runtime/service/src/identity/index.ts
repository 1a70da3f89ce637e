export * from './issue.ts';
export * from './keycloak-admin.ts';
export * from './reconcile.ts';
export * from './reconcile-command.ts';
export * from './token-command.ts';
export * from './token-records.ts';
