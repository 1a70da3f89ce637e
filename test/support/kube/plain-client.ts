import { KubeClient, type KubeClientOptions } from '@delos/kube';

/** A client of an API server on loopback that asks nobody who they are. */
export function plainClient(port: number, options: Partial<KubeClientOptions> = {}): KubeClient {
  return new KubeClient(
    { server: `http://127.0.0.1:${port}`, namespace: 'default', credentials: () => ({}) },
    { fieldManager: 'test', ...options },
  );
}
