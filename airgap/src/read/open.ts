import { z } from 'zod';
import { parseCanonical } from '../format/canonical.ts';
import { type Digest, digestOf } from '../format/digest.ts';
import { DO_NOT_USE, type Fault, FaultFound } from '../format/fault.ts';
import { indexFaults } from '../format/index-rules.ts';
import {
  type BundleIndex,
  bundleIndex,
  FORMAT,
  INDEX_FILE,
  KEYS_FOLDER,
  MOST_INDEX_BYTES,
  MOST_SIGNATURE_BYTES,
  SIGNATURE_FILE,
} from '../format/index-schema.ts';
import { type CarriedList, latestList } from '../trust/chain.ts';
import { judge } from '../trust/judge.ts';
import { type KeyList, keyListFile, keySignatureFile, MOST_KEY_LIST_BYTES } from '../trust/key-list.ts';
import { filesOf, readFile, stranger } from './folder.ts';

/** How far a clock may be behind that of whoever made the bundle. */
export const CLOCK_SLACK_MS = 24 * 3600 * 1000;

/** By what a bundle is judged. */
export interface TrustInput {
  /** The list that the site has pinned. */
  readonly pinned: KeyList;
  /** What time it is. */
  readonly at: Date;
}

/** A bundle whose index may be believed. Of its packs nothing has been read. */
export interface OpenBundle {
  readonly folder: string;
  readonly index: BundleIndex;
  /** Digest of `bundle.json`. */
  readonly digest: Digest;
  /** Ids of the keys whose signatures count. */
  readonly signers: readonly string[];
  /** Version of the list of keys that was believed in the end. */
  readonly keysVersion: number;
}

/**
 * Reads signature, lists of keys and index of a bundle, in this order of belief: nothing of the index is looked at before
 * its signature is.
 * @throws FaultFound for the first thing that is wrong
 */
export async function openBundle(folder: string, trust: TrustInput): Promise<OpenBundle> {
  const signature = await readFile(folder, SIGNATURE_FILE, MOST_SIGNATURE_BYTES);
  const content = await readFile(folder, INDEX_FILE, MOST_INDEX_BYTES);
  const carried = await carriedLists(folder);
  const trusted = latestList(trust.pinned, carried, trust.at);
  if ('fault' in trusted) throw new FaultFound(trusted.fault);
  const signed = { what: 'index', name: INDEX_FILE, content, signature, signatureFile: SIGNATURE_FILE } as const;
  const judgement = judge(signed, [trusted.list], trust.at);
  if ('fault' in judgement) throw new FaultFound(judgement.fault);
  const index = parseIndex(content);
  const [first] = [...indexFaults(index), ...carriedFaults(index, carried)];
  if (first !== undefined) throw new FaultFound(first);
  if (trust.at.getTime() < Date.parse(index.createdAt) - CLOCK_SLACK_MS) {
    throw new FaultFound({
      kind: 'clock',
      message: `this bundle was made on ${index.createdAt}, and it is ${trust.at.toISOString()} here: the clock is behind`,
      todo: 'set the clock of this machine, or say by --at what time it is; no key can be judged by a wrong clock',
      expected: index.createdAt,
      found: trust.at.toISOString(),
    });
  }
  const { signers } = judgement;
  return { folder, index, digest: digestOf(content), signers, keysVersion: trusted.list.version };
}

/** The index alone, whoever signed it: to look at, never to act on. @throws FaultFound */
export async function readIndexUnsigned(
  folder: string,
): Promise<{ readonly index: BundleIndex; readonly digest: Digest }> {
  const content = await readFile(folder, INDEX_FILE, MOST_INDEX_BYTES);
  return { index: parseIndex(content), digest: digestOf(content) };
}

/** @throws FaultFound for bytes that are no index in its one form */
export function parseIndex(content: Buffer): BundleIndex {
  const fault = (message: string, todo = DO_NOT_USE): FaultFound =>
    new FaultFound({ kind: 'index-form', message, todo, file: INDEX_FILE });
  const value = parseCanonical(content);
  if (value === undefined) throw fault(`${INDEX_FILE} is no canonical JSON (RFC 8785)`);
  const format = z.object({ format: z.string() }).safeParse(value).data?.format;
  if (format !== undefined && format !== FORMAT) {
    throw fault(
      `${INDEX_FILE} has the format ${JSON.stringify(format)}, and this release reads ${FORMAT}`,
      'take the release of Delos that wrote it',
    );
  }
  const parsed = bundleIndex.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw fault(`${INDEX_FILE} is no index, at ${issue?.path.join('.') ?? '?'}: ${issue?.message ?? 'not accepted'}`);
}

async function carriedLists(folder: string): Promise<readonly CarriedList[]> {
  const files = await filesOf(folder, KEYS_FOLDER);
  const versions = files.flatMap((name) => /^([1-9]\d{0,6})\.json$/.exec(name)?.[1] ?? []).map(Number);
  const own = new Set(versions.flatMap((version) => [keyListFile(version), keySignatureFile(version)]));
  const strange = files.find((name) => !own.has(name));
  if (strange !== undefined) throw new FaultFound(stranger(`${KEYS_FOLDER}/${strange}`));
  const lists: CarriedList[] = [];
  for (const version of versions.toSorted((a, b) => a - b)) {
    lists.push({
      version,
      content: await readFile(folder, `${KEYS_FOLDER}/${keyListFile(version)}`, MOST_KEY_LIST_BYTES),
      signature: await readFile(folder, `${KEYS_FOLDER}/${keySignatureFile(version)}`, MOST_SIGNATURE_BYTES),
    });
  }
  return lists;
}

/** What lies in the folder of lists is what the index says, byte for byte. */
function carriedFaults(index: BundleIndex, carried: readonly CarriedList[]): readonly Fault[] {
  const said = index.keys.map(({ version, list, signature }) => `${version} ${list} ${signature}`).join('\n');
  const found = carried
    .map(({ version, content, signature }) => `${version} ${digestOf(content)} ${digestOf(signature)}`)
    .join('\n');
  if (said === found) return [];
  return [
    {
      kind: 'key-list',
      message: `the lists of keys in ${KEYS_FOLDER} are not those of the index`,
      todo: DO_NOT_USE,
      file: KEYS_FOLDER,
      expected: index.keys.map(({ version }) => version).join(', '),
      found: carried.map(({ version }) => version).join(', '),
    },
  ];
}
