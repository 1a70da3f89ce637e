export * from './access.ts';
export * from './client.ts';
export * from './errors.ts';
export * from './json.ts';
export * from './kubeconfig-access.ts';
export * from './library-access.ts';
export * from './pod-access.ts';
export * from './reflector.ts';
