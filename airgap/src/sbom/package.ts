import { z } from 'zod';

/** A piece of software that an image holds. */
export const softwarePackage = z.strictObject({
  type: z.enum(['deb', 'pypi', 'npm', 'golang', 'maven']),
  name: z.string(),
  version: z.string(),
  /** As the package itself says; left out where it says nothing. */
  licence: z.string().optional(),
});
export type SoftwarePackage = z.infer<typeof softwarePackage>;

/** Its name for whoever looks for flaws: https://github.com/package-url/purl-spec */
export function purlOf({ type, name, version }: SoftwarePackage): string {
  const at = encodeURIComponent(version).replaceAll('%3A', ':');
  const path = name.split('/').map(encodeURIComponent).join('/');
  return type === 'deb' ? `pkg:deb/debian/${path}@${at}` : `pkg:${type}/${path}@${at}`;
}

/** Each once, in the order of their names for {@link purlOf}; of several licences the one that is said. */
export function sorted(packages: readonly SoftwarePackage[]): readonly SoftwarePackage[] {
  const byPurl = new Map<string, SoftwarePackage>();
  for (const each of packages) {
    const purl = purlOf(each);
    const before = byPurl.get(purl);
    byPurl.set(purl, before?.licence === undefined ? each : before);
  }
  return [...byPurl].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, each]) => each);
}
