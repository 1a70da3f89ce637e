/*
 * What a Pulumi program of one's own needs to deploy a tree of constructs. docs/guides/library.md shows it at work.
 */
export * from './bridge/deploy.ts';
export * from './bridge/register.ts';
export type { SecretKeeper } from './secrets/keeper.ts';
