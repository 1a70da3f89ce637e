import type { PlatformConfig } from '@delos/core';

/** What delos.yaml says, defaults filled in. */
export interface DelosConfig extends PlatformConfig {
  /** Key of the service to its section. Its descriptor knows what is in there. */
  readonly services: Readonly<Record<string, unknown>>;
}
