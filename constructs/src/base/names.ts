import { NAME_LABEL, PART_OF } from '@delos/core';

/*
 * Names that other rooms and people's scripts lean on. Services are reached by these names inside the cluster.
 */

export { hostOf, NODE_NAMESPACE, PART_OF, PLATFORM_NAMESPACE, PORTS, PRIORITY_CLASSES } from '@delos/core';

/** What selects the Pods of one part. */
export function selectorOf(name: string): Readonly<Record<string, string>> {
  return { [NAME_LABEL]: name };
}

/** Labels of the objects of one part. */
export function labelsOf(name: string): Readonly<Record<string, string>> {
  return { ...selectorOf(name), ...PART_OF };
}
