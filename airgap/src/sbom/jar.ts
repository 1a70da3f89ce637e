import { fromBufferPromise, type ZipFile } from 'yauzl';
import type { SoftwarePackage } from './package.ts';

/** A Java archive is read as a whole, since its list of entries is at its end; what is longer is told by its name alone. */
export const MOST_JAR_BYTES = 64 * 2 ** 20;
const MOST_TEXT_BYTES = 2 ** 20;
const MOST_ENTRIES = 200_000;
/** Archives in archives, as Spring and Quarkus pack them. */
const MOST_DEPTH = 2;

const POM = /^META-INF\/maven\/[^/]+\/[^/]+\/pom\.properties$/;
const ARCHIVE = /\.(jar|war|ear)$/;
export const isJavaArchive = (path: string): boolean => ARCHIVE.test(path);

/**
 * What a Java archive says that it is made of: the `pom.properties` that Maven puts into each, also of archives that were put into it. Where there is none, its
 * name tells it, `NAME-VERSION.jar`. https://maven.apache.org/shared/maven-archiver/
 * @param bytes undefined for one that is too long to be read
 */
export async function javaPackages(
  path: string,
  bytes: Buffer | undefined,
  depth = 0,
): Promise<readonly SoftwarePackage[]> {
  const found: SoftwarePackage[] = [];
  if (bytes !== undefined) await readArchive(bytes, depth, found).catch(() => undefined);
  return found.length > 0 ? found : byName(path);
}

async function readArchive(bytes: Buffer, depth: number, found: SoftwarePackage[]): Promise<void> {
  const zip = await fromBufferPromise(bytes, { decodeStrings: false });
  let entries = 0;
  for await (const entry of zip.eachEntry()) {
    entries += 1;
    if (entries > MOST_ENTRIES) return;
    const name = entry.fileNameRaw.toString('utf8');
    if (POM.test(name)) {
      const text = await contentOf(zip, entry, MOST_TEXT_BYTES);
      found.push(...(text === undefined ? [] : pomProperties(text.toString('utf8'))));
    } else if (isJavaArchive(name) && depth < MOST_DEPTH) {
      found.push(...(await javaPackages(name, await contentOf(zip, entry, MOST_JAR_BYTES), depth + 1)));
    }
  }
}

type ZipEntry = Parameters<ZipFile['openReadStreamPromise']>[0];

/** Undefined for one that is longer than that, whatever it says of its size. */
async function contentOf(zip: ZipFile, entry: ZipEntry, most: number): Promise<Buffer | undefined> {
  if (entry.uncompressedSize > most) return undefined;
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of (await zip.openReadStreamPromise(entry)) as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > most) return undefined;
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

function pomProperties(text: string): readonly SoftwarePackage[] {
  const field = (name: string): string | undefined => new RegExp(`^${name}=(\\S+)\\s*$`, 'm').exec(text)?.[1];
  const [group, artifact, version] = [field('groupId'), field('artifactId'), field('version')];
  if (group === undefined || artifact === undefined || version === undefined) return [];
  return [{ type: 'maven', name: `${group}/${artifact}`, version }];
}

function byName(path: string): readonly SoftwarePackage[] {
  const file = path.slice(path.lastIndexOf('/') + 1).replace(ARCHIVE, '');
  const [, name, version] = /^(.+?)-(\d[\w.+-]*)$/.exec(file) ?? [];
  return name === undefined || version === undefined ? [] : [{ type: 'maven', name, version }];
}
