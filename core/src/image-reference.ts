/** Full name and tag of a reference, after the rules of distribution/reference; a digest has no tag. */
export function splitReference(reference: string): { readonly name: string; readonly tag: string } {
  const [named = reference, digest] = reference.split('@', 2);
  const colon = named.lastIndexOf(':');
  const tagged = colon > named.lastIndexOf('/');
  const path = tagged ? named.slice(0, colon) : named;
  const tag = tagged ? named.slice(colon + 1) : digest === undefined ? 'latest' : '';
  const [first = '', ...rest] = path.split('/');
  const hosted = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  if (!hosted) return { name: `docker.io/${rest.length === 0 ? `library/${path}` : path}`, tag };
  return { name: path.replace(/^index\.docker\.io\//, 'docker.io/'), tag };
}
