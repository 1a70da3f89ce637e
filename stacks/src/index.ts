export { explain, verdictOn } from './await/look.ts';
export * from './bridge/identity.ts';
export * from './bridge/order.ts';
export * from './driver/env-lines.ts';
export type { Changes, ResourceStep } from './driver/events.ts';
export { pulumiEnvironment, pulumiHome } from './driver/home.ts';
export * from './driver/stack.ts';
export { connect, ObjectClient, type ObjectRef } from './kube/object-client.ts';
export * from './platform/deploy.ts';
