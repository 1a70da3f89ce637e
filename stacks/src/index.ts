export * from './bridge/identity.ts';
export * from './bridge/order.ts';
export * from './driver/env-lines.ts';
export type { Changes, ResourceStep } from './driver/events.ts';
export { pulumiEnvironment, pulumiHome } from './driver/home.ts';
export * from './driver/stack.ts';
export { KubeClient, type ObjectRef } from './kube/client.ts';
export { type Connection, connect } from './kube/connect.ts';
export * from './platform/deploy.ts';
