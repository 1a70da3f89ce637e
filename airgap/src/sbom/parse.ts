import { z } from 'zod';
import type { SoftwarePackage } from './package.ts';

/*
 * What package managers leave in an image. Each reads one file, and answers with nothing where it is none of its kind: an image may hold
 * anything.
 */

/** `var/lib/dpkg/status`: stanzas of installed packages. https://www.debian.org/doc/debian-policy/ch-controlfields.html */
export function dpkgStatus(text: string): readonly SoftwarePackage[] {
  return text.split(/\n\s*\n/).flatMap((stanza) => {
    const field = (name: string): string | undefined => new RegExp(`^${name}: (.+)$`, 'm').exec(stanza)?.[1]?.trim();
    const [name, version] = [field('Package'), field('Version')];
    const status = field('Status');
    if (name === undefined || version === undefined) return [];
    return status === undefined || status.endsWith(' installed') ? [{ type: 'deb' as const, name, version }] : [];
  });
}

/** `usr/share/doc/NAME/copyright`: the licences that its machine-readable form names, joined. https://dep-team.pages.debian.net/deps/dep5/ */
export function debianLicence(text: string): string | undefined {
  if (!/^Format:/m.test(text)) return undefined;
  const names = [...text.matchAll(/^License:[ \t]*(\S.*)$/gm)].map(([, name = '']) => name.trim());
  const all = [...new Set(names)].toSorted();
  return all.length === 0 ? undefined : all.join(' AND ');
}

/** `*.dist-info/METADATA`. https://packaging.python.org/en/latest/specifications/core-metadata/ */
export function pythonMetadata(text: string): readonly SoftwarePackage[] {
  const [head = ''] = text.split(/\r?\n\r?\n/, 1);
  const field = (name: string): string | undefined => new RegExp(`^${name}: (.+)$`, 'm').exec(head)?.[1]?.trim();
  const [name, version] = [field('Name'), field('Version')];
  if (name === undefined || version === undefined) return [];
  const classified = /^Classifier: License ::(?: OSI Approved ::)? (.+)$/m.exec(head)?.[1]?.trim();
  const licence = field('License-Expression') ?? shortOf(field('License')) ?? classified;
  const own = name.replace(/[-_.]+/g, '-').toLowerCase();
  return [{ type: 'pypi', name: own, version, ...(licence === undefined ? {} : { licence }) }];
}

const packageJson = z.object({
  name: z.string().regex(/^(@[\w.~-]+\/)?[\w.~-]+$/),
  version: z.string().regex(/^\d+\.\d+\.\d+/),
  license: z.union([z.string(), z.object({ type: z.string() })]).optional(),
});

/** `node_modules/**\/package.json`, of a package and not of a folder in it. */
export function nodePackage(text: string): readonly SoftwarePackage[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return [];
  }
  const read = packageJson.safeParse(value);
  if (!read.success) return [];
  const { name, version, license } = read.data;
  const licence = shortOf(typeof license === 'string' ? license : license?.type);
  return [{ type: 'npm', name, version, ...(licence === undefined ? {} : { licence }) }];
}

/** Some write the licence itself where its name belongs. */
const shortOf = (text: string | undefined): string | undefined =>
  text === undefined || text === '' || text.length > 100 ? undefined : text;

/** What precedes the module information of a Go program: https://pkg.go.dev/debug/buildinfo */
export const GO_MAGIC = Buffer.from('\xff Go buildinf:', 'latin1');
/** As much of a program as is kept from there on; the list of a large program has 60 KiB. */
export const GO_KEPT_BYTES = 2 ** 20;
const GO_HEADER = 32;
/** Strings follow the header, rather than pointers to them: Go 1.18 and later. */
const GO_INLINE = 2;
/** Strings that Go lays around the list. */
const GO_FRAME = 16;

/** The Go standard library and the modules that a program is linked of. @param bytes from {@link GO_MAGIC} on */
export function goModules(bytes: Buffer): readonly SoftwarePackage[] {
  if (((bytes[15] ?? 0) & GO_INLINE) === 0) return [];
  const version = varString(bytes, GO_HEADER);
  const list = version === undefined ? undefined : varString(bytes, version.end);
  if (version === undefined || list === undefined) return [];
  const own = /^go(\d+\.\d+(?:\.\d+)?)/.exec(version.text)?.[1];
  const found: SoftwarePackage[] = own === undefined ? [] : [{ type: 'golang', name: 'stdlib', version: own }];
  let before: SoftwarePackage | undefined;
  for (const line of list.text.slice(GO_FRAME, -GO_FRAME).split('\n')) {
    const [kind, name = '', release = ''] = line.split('\t');
    // `=>` replaces the module of the line before it.
    if (kind === '=>' && before !== undefined) found.pop();
    if (kind !== 'dep' && kind !== 'mod' && kind !== '=>') continue;
    before = undefined;
    if (name === '' || !release.startsWith('v')) continue;
    before = { type: 'golang', name, version: release };
    found.push(before);
  }
  return found;
}

function varString(bytes: Buffer, at: number): { readonly text: string; readonly end: number } | undefined {
  let [length, shift, next] = [0, 0, at];
  for (;;) {
    const byte = bytes[next];
    if (byte === undefined || shift > 28) return undefined;
    next += 1;
    length |= (byte & 0x7f) << shift;
    shift += 7;
    if (byte < 0x80) break;
  }
  const end = next + length;
  return end > bytes.length ? undefined : { text: bytes.toString('utf8', next, end), end };
}
