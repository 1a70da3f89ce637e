import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { extract } from 'tar-stream';
import { z } from 'zod';
import { isJavaArchive, javaPackages, MOST_JAR_BYTES } from './jar.ts';
import { type SoftwarePackage, softwarePackage } from './package.ts';
import { debianLicence, dpkgStatus, GO_KEPT_BYTES, GO_MAGIC, goModules, nodePackage, pythonMetadata } from './parse.ts';

/** What one layer of an image says of its packages. */
export const layerFindings = z.strictObject({
  /** By the path of the file that says it. */
  packages: z.record(z.string(), z.array(softwarePackage)),
  /** Of packages of Debian, by the path of the file that says it. */
  licences: z.record(z.string(), z.string()),
  /** Paths of layers below that are gone, with all that is in them. */
  gone: z.array(z.string()),
});
export type LayerFindings = z.infer<typeof layerFindings>;

/** Text files of package managers are shorter; what is longer is none. */
const MOST_TEXT_BYTES = 32 * 2 ** 20;
const WHITEOUT = '.wh.';
const OPAQUE = '.wh..wh..opq';
const ELF = Buffer.from('\x7fELF', 'latin1');

const TEXTS: readonly { readonly path: RegExp; readonly read: (text: string) => readonly SoftwarePackage[] }[] = [
  { path: /^var\/lib\/dpkg\/(status|status\.d\/[^/]+)$/, read: dpkgStatus },
  { path: /\.dist-info\/METADATA$/, read: pythonMetadata },
  { path: /(^|\/)node_modules\/(@[^/]+\/)?[^/]+\/package\.json$/, read: nodePackage },
];
const COPYRIGHT = /^usr\/share\/doc\/([^/]+)\/copyright$/;

/** Reads a layer once. @param mediaType of the OCI or Docker image specification */
export async function readLayer(source: AsyncIterable<Buffer>, mediaType: string): Promise<LayerFindings> {
  const found: LayerFindings = { packages: {}, licences: {}, gone: [] };
  const tar = extract();
  const read = async (): Promise<void> => {
    for await (const entry of tar) {
      const path = entry.header.name.replace(/^(\.?\/)+/, '');
      const size = entry.header.type === 'file' ? (entry.header.size ?? 0) : 0;
      await readEntry(path, size, entry as AsyncIterable<Buffer>, found);
      entry.resume();
    }
  };
  const from = Readable.from(source, { objectMode: false });
  const sent = mediaType.endsWith('gzip')
    ? pipeline(from, createGunzip(), tar)
    : mediaType.endsWith('zstd')
      ? pipeline(from, createZstdDecompress(), tar)
      : pipeline(from, tar);
  await Promise.all([sent, read()]);
  return found;
}

async function readEntry(
  path: string,
  size: number,
  entry: AsyncIterable<Buffer>,
  { packages, licences, gone }: LayerFindings,
): Promise<void> {
  const name = path.slice(path.lastIndexOf('/') + 1);
  const folder = path.slice(0, path.length - name.length);
  if (name === OPAQUE) return void gone.push(folder);
  if (name.startsWith(WHITEOUT)) return void gone.push(`${folder}${name.slice(WHITEOUT.length)}`);
  if (size === 0) return;
  const kind = TEXTS.find((each) => each.path.test(path));
  const isCopyright = COPYRIGHT.test(path);
  if (kind !== undefined || isCopyright) {
    if (size > MOST_TEXT_BYTES) return;
    const text = (await wholeOf(entry)).toString('utf8');
    const licence = isCopyright ? debianLicence(text) : undefined;
    if (licence !== undefined) licences[path] = licence;
    const own = kind?.read(text) ?? [];
    if (own.length > 0) packages[path] = [...own];
    return;
  }
  if (isJavaArchive(path)) {
    const own = await javaPackages(path, size > MOST_JAR_BYTES ? undefined : await wholeOf(entry));
    if (own.length > 0) packages[path] = [...own];
    return;
  }
  const modules = await modulesOf(entry);
  if (modules.length > 0) packages[path] = [...modules];
}

async function wholeOf(entry: AsyncIterable<Buffer>): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of entry) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** Of a program in the ELF format. Every entry is read to its end: to leave it earlier would end the archive. */
async function modulesOf(entry: AsyncIterable<Buffer>): Promise<readonly SoftwarePackage[]> {
  let carried = Buffer.alloc(0);
  let isProgram: boolean | undefined;
  let from: Buffer[] | undefined;
  let kept = 0;
  for await (const piece of entry) {
    isProgram ??= piece.subarray(0, ELF.length).equals(ELF);
    if (!isProgram || kept >= GO_KEPT_BYTES) continue;
    if (from !== undefined) {
      from.push(piece);
      kept += piece.length;
    } else {
      const bytes = Buffer.concat([carried, piece]);
      const at = bytes.indexOf(GO_MAGIC);
      if (at >= 0) {
        from = [bytes.subarray(at)];
        kept = bytes.length - at;
      }
      carried = Buffer.from(bytes.subarray(Math.max(0, bytes.length - GO_MAGIC.length)));
    }
  }
  return from === undefined ? [] : goModules(Buffer.concat(from));
}

/** What an image has of what its layers say, the lowest first. */
export function merged(layers: readonly LayerFindings[]): readonly SoftwarePackage[] {
  const packages = new Map<string, readonly SoftwarePackage[]>();
  const licences = new Map<string, string>();
  for (const layer of layers) {
    for (const gone of layer.gone) {
      const isGone = (path: string): boolean =>
        path === gone || path.startsWith(gone === '' || gone.endsWith('/') ? gone : `${gone}/`);
      for (const path of [...packages.keys()].filter(isGone)) packages.delete(path);
      for (const path of [...licences.keys()].filter(isGone)) licences.delete(path);
    }
    for (const [path, own] of Object.entries(layer.packages)) packages.set(path, own);
    for (const [path, licence] of Object.entries(layer.licences)) licences.set(path, licence);
  }
  return [...packages.values()].flat().map((each) => {
    const licence = each.type === 'deb' ? licences.get(`usr/share/doc/${each.name}/copyright`) : undefined;
    return licence === undefined ? each : { ...each, licence };
  });
}
