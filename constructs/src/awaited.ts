import { hostOf, selectorOf } from './base/names.ts';
import type { Namespace } from './base/namespace.ts';
import type { RouteTarget } from './base/route.ts';

/** A service that comes later, by what it will be called. */
export function awaited(name: string, namespace: Namespace, ports: Readonly<Record<string, number>>): RouteTarget {
  const portOf = (port: string): number => {
    const number = ports[port];
    if (number !== undefined) return number;
    throw new Error(`service ${name}, which comes later, says no port ${port}: ${Object.keys(ports).join(', ')}`);
  };
  return {
    name,
    host: hostOf(name, namespace.name),
    portOf,
    peer: (...names) => ({
      kind: 'pods',
      namespace: namespace.name,
      labels: selectorOf(name),
      ports: names.map(portOf),
    }),
  };
}
