import {
  cp,
  link,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { type BundleIndex, type Digest, digestOf, hexOf, type KeyList } from '@delos/airgap';
import { canonicalBytes, type Json } from '../../../airgap/src/format/canonical.ts';
import { entryHeader, packFile } from '../../../airgap/src/format/tar.ts';
import { seal } from '../../../airgap/src/trust/dsse.ts';
import { PAYLOAD_TYPE, PREDICATES, statementOf } from '../../../airgap/src/trust/statement.ts';
import { days, listOf, NOW, type Signer, signer } from './bundles.ts';

/*
 * What may happen to a bundle on its way, or be done to it. A mutation changes the folder; some change what the site pins or what time it is
 * there. Those that are signed again are by the right key: whoever made the bundle made it wrong.
 */

export interface Site {
  readonly folder: string;
  /** Another bundle of the same signer, made later. */
  readonly other: string;
  readonly signer: Signer;
  readonly list: KeyList;
}

/** Three numbers that decide where and how. */
export type Draw = readonly [number, number, number];

/** Changes of what the site believes. */
interface Believes {
  readonly list?: KeyList;
  readonly at?: Date;
}

export interface Mutation {
  readonly name: string;
  readonly apply: (site: Site, draw: Draw) => Promise<Believes | undefined>;
}

const INDEX = 'bundle.json';
const SIGNATURE = 'bundle.json.dsse';

async function filesIn(folder: string): Promise<readonly string[]> {
  const packs = await readdir(join(folder, 'packs'));
  return [INDEX, SIGNATURE, ...packs.map((name) => `packs/${name}`)];
}

const pick = <T>(list: readonly T[], at: number): T => {
  const found = list[at % list.length];
  if (found === undefined) throw new Error('nothing to pick from');
  return found;
};
const pickFile = async (folder: string, at: number): Promise<string> => join(folder, pick(await filesIn(folder), at));
const pickPack = async (folder: string, at: number): Promise<string> => {
  const packs = await readdir(join(folder, 'packs'));
  return join(folder, 'packs', pick(packs.toSorted(), at));
};

export async function readIndex(folder: string): Promise<BundleIndex> {
  return JSON.parse(await readFile(join(folder, INDEX), 'utf8')) as BundleIndex;
}

/** Writes an index with a right signature over it. */
export async function signAgain(folder: string, index: unknown, by: Signer): Promise<void> {
  const bytes = canonicalBytes(index as Json);
  await writeFile(join(folder, INDEX), bytes);
  await writeFile(
    join(folder, SIGNATURE),
    seal(PAYLOAD_TYPE, statementOf('index', INDEX, hexOf(digestOf(bytes))), [by.privateKey]),
  );
}

/** Changes bytes of a pack, and gives pack and index the names that follow, as if it had been made so. */
async function repack(
  site: Site,
  draw: Draw,
  change: (bytes: Buffer, pack: BundleIndex['packs'][number]) => Buffer,
): Promise<void> {
  const index = await readIndex(site.folder);
  const pack = pick(index.packs, draw[0]);
  const path = join(site.folder, 'packs', packFile(pack.digest));
  const bytes = change(await readFile(path), pack);
  await rm(path);
  const digest = digestOf(bytes);
  await writeFile(join(site.folder, 'packs', packFile(digest)), bytes);
  const packs = index.packs.map((each) => (each === pack ? { ...pack, digest } : each));
  await signAgain(site.folder, { ...index, packs }, site.signer);
}

/** A change of an index that is signed by the right key. */
const resigned = (name: string, change: (index: BundleIndex, draw: Draw) => unknown): Mutation => ({
  name: `an index that ${name}, signed by the right key`,
  apply: async ({ folder, signer: by }, draw) => {
    await signAgain(folder, change(await readIndex(folder), draw), by);
    return undefined;
  },
});

const withPack = (
  index: BundleIndex,
  at: number,
  change: (pack: BundleIndex['packs'][number]) => unknown,
): unknown => ({
  ...index,
  packs: index.packs.map((pack, nth) => (nth === at % index.packs.length ? change(pack) : pack)),
});

const onDisk = (name: string, apply: (site: Site, draw: Draw) => Promise<unknown>): Mutation => ({
  name,
  apply: async (site, draw) => {
    await apply(site, draw);
    return undefined;
  },
});

/** The header of an entry, with another name and type. */
function header(name: string, size: number, type: string, target = ''): Buffer {
  const bytes = entryHeader('x', size);
  bytes.fill(0, 0, 100);
  bytes.write(name, 0, 'latin1');
  bytes.write(type, 156, 'latin1');
  bytes.write(target, 157, 'latin1');
  bytes.write(' '.repeat(8), 148, 'latin1');
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return bytes;
}

export const MUTATIONS: readonly Mutation[] = [
  onDisk('a bit of a file is flipped', async ({ folder }, [which, where, bit]) => {
    const path = await pickFile(folder, which);
    const bytes = await readFile(path);
    const at = where % bytes.length;
    bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit % 8));
    await writeFile(path, bytes);
  }),
  onDisk('a file is cut off', async ({ folder }, [which, where]) => {
    const path = await pickFile(folder, which);
    await truncate(path, where % (await stat(path)).size);
  }),
  onDisk('a file has bytes more', async ({ folder }, [which, count]) => {
    const path = await pickFile(folder, which);
    await writeFile(path, Buffer.concat([await readFile(path), Buffer.alloc(1 + (count % 2000))]));
  }),
  onDisk('bytes of a file are zeros', async ({ folder }, [which, where]) => {
    const path = await pickPack(folder, which);
    const bytes = await readFile(path);
    const at = where % (bytes.length - 2048);
    const zeros = Buffer.alloc(1024);
    // Where there are zeros already, ones.
    if (bytes.subarray(at, at + 1024).equals(zeros)) zeros.fill(1);
    zeros.copy(bytes, at);
    await writeFile(path, bytes);
  }),
  onDisk('a file is gone', async ({ folder }, [which]) => rm(await pickFile(folder, which))),
  onDisk('all packs are gone', async ({ folder }) => rm(join(folder, 'packs'), { recursive: true })),
  onDisk('a file is empty', async ({ folder }, [which]) => truncate(await pickFile(folder, which), 0)),
  onDisk('two packs have each the name of the other', async ({ folder }, [one, two]) => {
    const packs = (await readdir(join(folder, 'packs'))).toSorted();
    const first = one % packs.length;
    const second = (first + 1 + (two % (packs.length - 1))) % packs.length;
    const [a, b] = [pick(packs, first), pick(packs, second)].map((name) => join(folder, 'packs', name)) as [
      string,
      string,
    ];
    await rename(a, `${a}.x`);
    await rename(b, a);
    await rename(`${a}.x`, b);
  }),
  onDisk('a pack has its halves the other way round', async ({ folder }, [which]) => {
    const path = await pickPack(folder, which);
    const bytes = await readFile(path);
    const half = Math.floor(bytes.length / 1024) * 512;
    await writeFile(path, Buffer.concat([bytes.subarray(half), bytes.subarray(0, half)]));
  }),
  onDisk('a file lies there that nobody has named', async ({ folder }, [where, name]) => {
    const place = pick(['', 'packs', 'keys'], where);
    await mkdir(join(folder, place), { recursive: true });
    await writeFile(join(folder, place, pick(['notes.txt', '.hidden', '1.txt', 'x'], name)), 'x');
  }),
  onDisk('a pack lies there twice', async ({ folder }, [which]) => {
    const path = await pickPack(folder, which);
    await cp(path, join(folder, 'packs', packFile(digestOf(Buffer.from(path)))));
  }),
  onDisk('a file is a link', async ({ folder }, [which, how]) => {
    const path = await pickFile(folder, which);
    await rename(path, join(folder, '..', 'elsewhere'));
    await symlink(how % 2 === 0 ? '../elsewhere' : '/etc/passwd', path);
  }),
  onDisk('a file is a folder', async ({ folder }, [which]) => {
    const path = await pickFile(folder, which);
    await rm(path);
    await mkdir(path);
  }),
  onDisk('a pack is another pack’s file', async ({ folder }, [which]) => {
    const packs = (await readdir(join(folder, 'packs'))).toSorted();
    const [a, b] = [pick(packs, which), pick(packs, which + 1)].map((name) => join(folder, 'packs', name)) as [
      string,
      string,
    ];
    await rm(a);
    await link(b, a);
  }),
  onDisk('the index is an older one', async ({ folder, other }) => cp(join(other, INDEX), join(folder, INDEX))),
  onDisk('index and signature are of another bundle', async ({ folder, other }) => {
    for (const file of [INDEX, SIGNATURE]) await cp(join(other, file), join(folder, file));
  }),
  onDisk('the signature is that of another index', async ({ folder, other }) =>
    cp(join(other, SIGNATURE), join(folder, SIGNATURE)),
  ),
  onDisk('a pack is of another bundle', async ({ folder, other }, [which]) => {
    const path = await pickPack(folder, which);
    const theirs = (await readdir(join(other, 'packs'))).toSorted();
    const own = new Set(await readdir(join(folder, 'packs')));
    const foreign = theirs.filter((name) => !own.has(name));
    await cp(join(other, 'packs', pick(foreign, which)), path);
  }),
  onDisk('another key has signed', async ({ folder }) => signAgain(folder, await readIndex(folder), signer())),
  onDisk('a signature is for something else than an index', async ({ folder, signer: by }, [how]) => {
    const sha256 = hexOf(digestOf(await readFile(join(folder, INDEX))));
    const statements = [
      statementOf('keys', INDEX, sha256),
      statementOf('index', 'other.json', sha256),
      Buffer.from(
        JSON.stringify({ _type: 'https://in-toto.io/Statement/v1', predicateType: PREDICATES.index, subject: [] }),
      ),
      Buffer.from(sha256),
    ];
    await writeFile(join(folder, SIGNATURE), seal(PAYLOAD_TYPE, pick(statements, how), [by.privateKey]));
  }),
  onDisk('a signature is over another type of payload', async ({ folder, signer: by }) => {
    const sha256 = hexOf(digestOf(await readFile(join(folder, INDEX))));
    await writeFile(
      join(folder, SIGNATURE),
      seal('application/json', statementOf('index', INDEX, sha256), [by.privateKey]),
    );
  }),
  onDisk('an envelope says the same in another way', async ({ folder }, [how]) => {
    const text = await readFile(join(folder, SIGNATURE), 'utf8');
    const ways = [
      `${text}\n`,
      ` ${text}`,
      text.replace('":"', '": "'),
      text.replace('{', '{"extra":1,'),
      text.replace('"sig":"', '"sig":"A'),
    ];
    await writeFile(join(folder, SIGNATURE), pick(ways, how));
  }),
  onDisk('a key has signed twice', async ({ folder, signer: by }) => {
    const sha256 = hexOf(digestOf(await readFile(join(folder, INDEX))));
    const keys = [by.privateKey, by.privateKey];
    await writeFile(join(folder, SIGNATURE), seal(PAYLOAD_TYPE, statementOf('index', INDEX, sha256), keys));
  }),
  {
    name: 'the key counts no more, or not yet',
    apply: async ({ signer: by }, [how]) =>
      pick<Believes>(
        [
          { at: days(366) },
          { at: days(-366) },
          { list: listOf([by, signer()], { until: days(-1), from: days(-30) }) },
          { list: listOf([signer()], { after: listOf([by], { until: days(-1) }) }) },
          { list: listOf([by], { after: undefined, threshold: 1, from: days(1), until: days(3) }) },
          { list: revokedIn(by) },
          { list: listOf([by, signer()], { threshold: 2 }) },
          { list: listOf([signer()]) },
        ],
        how,
      ),
  },
  {
    name: 'the clock is 40 days behind the bundle',
    apply: async () => ({ at: days(-40) }),
  },
  onDisk('a list of keys lies there that the index does not name', async ({ folder, list }, [how]) => {
    await mkdir(join(folder, 'keys'), { recursive: true });
    const next = { ...list, version: list.version + (how % 3) };
    await writeFile(join(folder, 'keys', `${next.version}.json`), canonicalBytes(next as Json));
    await writeFile(join(folder, 'keys', `${next.version}.json.dsse`), '{}');
  }),

  onDisk('an entry of a pack leads out, as if it had been made so', async (site, draw) =>
    repack(site, draw, (bytes, { pieces }) => {
      const name = pick(['../../etc/cron.d/x', '/etc/passwd', 'blobs/sha256/../../../x', 'C:\\x'], draw[1]);
      header(name, pieces[0]?.size ?? 0, '0').copy(bytes, 0);
      return bytes;
    }),
  ),
  onDisk('an entry of a pack is a link, as if it had been made so', async (site, draw) =>
    repack(site, draw, (bytes, { pieces }) => {
      const type = pick(['1', '2', '3', '4', '6', 'L', 'x', 'g'], draw[1]);
      header(
        `blobs/sha256/${hexOf(pieces[0]?.blob ?? (`sha256:${'0'.repeat(64)}` as Digest))}`,
        pieces[0]?.size ?? 0,
        type,
        '/etc',
      ).copy(bytes, 0);
      return bytes;
    }),
  ),
  onDisk('an entry of a pack has another size, as if it had been made so', async (site, draw) =>
    repack(site, draw, (bytes, { pieces }) => {
      const size = (pieces[0]?.size ?? 0) + 1 + (draw[1] % 8000);
      header(`blobs/sha256/${hexOf(pieces[0]?.blob ?? (`sha256:${'0'.repeat(64)}` as Digest))}`, size, '0').copy(
        bytes,
        0,
      );
      return bytes;
    }),
  ),
  onDisk('an entry of a pack may be run, or is of another time, as if it had been made so', async (site, draw) =>
    repack(site, draw, (bytes) => {
      bytes.write(pick(['0000755\0', '0004755\0'], draw[1]), 100, 'latin1');
      return bytes;
    }),
  ),
  onDisk('a blob of a pack is another, as if it had been made so', async (site, draw) =>
    repack(site, draw, (bytes) => {
      bytes[512] = (bytes[512] ?? 0) ^ 1;
      return bytes;
    }),
  ),
  onDisk('a pack goes on behind its end, as if it had been made so', async (site, draw) =>
    repack(site, draw, (bytes) => Buffer.concat([bytes, header('x', 0, '0')])),
  ),
  onDisk('what lies between entries is no zeros, as if it had been made so', async (site, draw) =>
    repack(site, draw, (bytes) => {
      bytes[bytes.length - 1 - (draw[1] % 1024)] = 7;
      return bytes;
    }),
  ),

  resigned('lies about the size of a pack', (index, [which, by]) =>
    withPack(index, which, (pack) => ({ ...pack, size: pack.size + 512 * (1 + (by % 9)) })),
  ),
  resigned('lies about the size of a piece', (index, [which, by]) =>
    withPack(index, which, (pack) => ({
      ...pack,
      pieces: pack.pieces.map((piece, nth) =>
        nth === 0 ? { ...piece, size: Math.max(0, piece.size - 1 - (by % 5)) } : piece,
      ),
    })),
  ),
  resigned('lies about the size of a blob', (index, [which, by]) => ({
    ...index,
    blobs: index.blobs.map((blob, nth) =>
      nth === which % index.blobs.length ? { ...blob, size: blob.size + 1 + (by % 7) } : blob,
    ),
  })),
  resigned('has pieces in another order', (index, [which]) => {
    const several = index.packs.filter(({ pieces }) => pieces.length > 1);
    const chosen = pick(several, which);
    return withPack(index, index.packs.indexOf(chosen), (pack) => ({ ...pack, pieces: pack.pieces.toReversed() }));
  }),
  resigned('has a right blob under a wrong name', (index, [which]) => {
    const names = index.blobs.map(({ digest }) => digest);
    const [a, b] = [pick(names, which), pick(names, which + 1)];
    const swap = (digest: Digest): Digest => (digest === a ? b : digest === b ? a : digest);
    return {
      ...index,
      packs: index.packs.map((pack) => ({
        ...pack,
        pieces: pack.pieces.map((piece) => ({ ...piece, blob: swap(piece.blob) })),
      })),
    };
  }),
  resigned('names a blob twice', (index, [which]) => ({ ...index, blobs: [...index.blobs, pick(index.blobs, which)] })),
  resigned('names a pack twice', (index, [which]) => ({ ...index, packs: [...index.packs, pick(index.packs, which)] })),
  resigned('leaves a pack out', (index, [which]) => ({
    ...index,
    packs: index.packs.filter((_, nth) => nth !== which % index.packs.length),
  })),
  resigned('leaves a blob out', (index, [which]) => ({
    ...index,
    blobs: index.blobs.filter((_, nth) => nth !== which % index.blobs.length),
  })),
  resigned('names a blob that no item needs', (index, [which]) => ({
    ...index,
    base: [{ digest: digestOf(Buffer.from(String(which))), size: 1 }],
    since: { kind: 'index', digest: digestOf(Buffer.from('x')) },
  })),
  resigned('has an item with other parts than its manifest', (index, [which, how]) => ({
    ...index,
    items: index.items.map((each, nth) => {
      if (nth !== which % index.items.length) return each;
      const others = index.blobs.map(({ digest }) => digest).filter((digest) => !each.parts.includes(digest));
      return how % 2 === 0
        ? { ...each, parts: [...each.parts, pick(others, how)] }
        : { ...each, parts: [...each.parts].reverse() };
    }),
  })),
  resigned('has an item whose manifest is a layer', (index, [which]) => ({
    ...index,
    items: index.items.map((each, nth) => {
      if (nth !== which % index.items.length) return each;
      const part = each.parts.at(-1) ?? each.descriptor.digest;
      const size = index.blobs.find(({ digest }) => digest === part)?.size ?? 0;
      return {
        ...each,
        parts: [...each.parts.slice(0, -1), each.descriptor.digest],
        descriptor: { ...each.descriptor, digest: part, size },
      };
    }),
  })),
  resigned('has an item that leads elsewhere', (index, [which, how]) => ({
    ...index,
    items: index.items.map((each, nth) => ({
      ...each,
      name:
        nth === which % index.items.length
          ? pick(['../x', 'a/../../x', '/etc', 'a//b', '-rf', 'a\u0000b', ''], how)
          : each.name,
    })),
  })),
  resigned('has two items of one name', (index, [which]) => ({
    ...index,
    items: [...index.items, pick(index.items, which)],
  })),
  resigned('is of a format to come', (index) => ({ ...index, format: 'delos-bundle/2' })),
  resigned('has a key that nobody knows', (index, [how]) => ({
    ...index,
    [pick(['extra', '__proto', 'packs2'], how)]: 1,
  })),
  resigned('has a negative or broken number', (index, [which, how]) =>
    withPack(index, which, (pack) => ({ ...pack, size: pick([-1, -512, Number.MAX_SAFE_INTEGER], how) })),
  ),
  resigned('has digests of another kind', (index, [which, how]) =>
    withPack(index, which, (pack) => ({
      ...pack,
      digest: pick([`sha512:${'0'.repeat(128)}`, 'sha256:xyz', `sha256:${'A'.repeat(64)}`, '../../etc/passwd'], how),
    })),
  ),
  onDisk('an index is signed that is no canonical JSON', async ({ folder, signer: by }, [how]) => {
    const text = await readFile(join(folder, INDEX), 'utf8');
    const ways = [
      `${text}\n`,
      text.replace('{', '{ '),
      text.replace('{', '{"format":"x",'),
      `\ufeff${text}`,
      JSON.stringify(JSON.parse(text), undefined, 1),
    ];
    const bytes = Buffer.from(pick(ways, how));
    await writeFile(join(folder, INDEX), bytes);
    const statement = statementOf('index', INDEX, hexOf(digestOf(bytes)));
    await writeFile(join(folder, SIGNATURE), seal(PAYLOAD_TYPE, statement, [by.privateKey]));
  }),
];

function revokedIn(by: Signer): KeyList {
  const first = listOf([by]);
  return listOf([signer()], { after: first, revoke: [by.id] });
}

/** Applies a mutation to a copy of a bundle. @returns what the site believes then */
export async function mutated(
  site: Site,
  copy: string,
  which: number,
  draw: Draw,
): Promise<{ readonly name: string; readonly list: KeyList; readonly at: Date }> {
  const mutation = pick(MUTATIONS, which);
  await cp(site.folder, copy, { recursive: true });
  const believes = await mutation.apply({ ...site, folder: copy }, draw);
  return { name: mutation.name, list: believes?.list ?? site.list, at: believes?.at ?? NOW };
}

/** Opens a file for writing as a whole of zeros that takes no room. */
export async function sparse(path: string, size: number): Promise<void> {
  const file = await open(path, 'w');
  await file.truncate(size);
  await file.close();
}
