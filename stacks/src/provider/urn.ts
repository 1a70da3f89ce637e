/*
 * URNs: `urn:pulumi:STACK::PROJECT::TYPE::NAME`. For a resource under others, TYPE begins with the types of those, each
 * followed by `$`. So a resource that moves under a parent has another URN.
 */

/** The type token of a URN: the last of its chain of parents. */
export function typeOfUrn(urn: string): string {
  return urn.split('::')[2]?.split('$').at(-1) ?? '';
}

/** The URN that a resource would have without its parents. */
export function urnAtRoot(urn: string): string {
  const [prefix, stack, , ...rest] = urn.split('::');
  return [prefix, stack, typeOfUrn(urn), ...rest].join('::');
}
