import { Lazy } from 'cdk8s';

/**
 * A value that is asked for only when manifests are written, so that what is added to a construct later is in it.
 * @see https://cdk8s.io/docs/latest/basics/constructs
 */
export function lazy<T>(produce: () => T): T {
  return Lazy.any({ produce }) as T;
}
