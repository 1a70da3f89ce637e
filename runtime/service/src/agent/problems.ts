import { isKubeError } from '@delos/kube';
import type { Logger } from 'pino';

/** Logs why a collection of Kubernetes could not be followed. A watch that fell behind (410) is no fault: all is listed again. */
export function logProblem(log: Logger, path: string): (error: Error) => void {
  return (error) => {
    if (!isKubeError(error, 410)) log.warn({ error, path }, 'a change could not be taken, or its watch broke');
  };
}
