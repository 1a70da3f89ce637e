import { crc32 } from 'node:zlib';

export interface ZipEntry {
  readonly name: string;
  readonly link?: boolean;
  /** @default x, of a link /etc/passwd */
  readonly text?: string;
  /** In place of text. */
  readonly bytes?: Buffer;
}

/** A zip archive with these entries, uncompressed; its names are as they are given, which packers do not do. */
export function zipOf(entries: readonly ZipEntry[]): Buffer {
  const [files, directory]: [Buffer[], Buffer[]] = [[], []];
  let at = 0;
  for (const { name, link = false, text, bytes } of entries) {
    const content = bytes ?? Buffer.from(text ?? (link ? '/etc/passwd' : 'x'));
    const path = Buffer.from(name);
    const shared = Buffer.alloc(26);
    shared.writeUInt16LE(20, 0);
    shared.writeUInt32LE(crc32(content), 10);
    shared.writeUInt32LE(content.length, 14);
    shared.writeUInt32LE(content.length, 18);
    shared.writeUInt16LE(path.length, 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), shared, path, content]);
    const rest = Buffer.alloc(14);
    // 0xA000 is a link, 0x8000 a plain file, each with a mode.
    rest.writeUInt32LE(((link ? 0xa1ff : 0x81a4) << 16) >>> 0, 6);
    rest.writeUInt32LE(at, 10);
    // Made by UNIX, version 3.0.
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x1e\x03', 'latin1'), shared, rest, path]));
    files.push(local);
    at += local.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 0, 'latin1');
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...files, central, end]);
}

/** The least that pip takes for a wheel. */
export const wheelOf = (project: string, version: string): Buffer =>
  zipOf([
    { name: `${project}.py`, text: `version = "${version}"\n` },
    {
      name: `${project}-${version}.dist-info/METADATA`,
      text: `Metadata-Version: 2.1\nName: ${project}\nVersion: ${version}\n`,
    },
    {
      name: `${project}-${version}.dist-info/WHEEL`,
      text: 'Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
    },
    { name: `${project}-${version}.dist-info/RECORD`, text: '' },
  ]);
