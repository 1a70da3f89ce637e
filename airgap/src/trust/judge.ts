import { digestOf, hexOf } from '../format/digest.ts';
import { DO_NOT_USE, type Fault } from '../format/fault.ts';
import { type Envelope, isSignedBy, parseEnvelope, signedBytes } from './dsse.ts';
import { type KeyList, publicKeyOf, refusalOf } from './key-list.ts';
import { PAYLOAD_TYPE, type Signed, subjectOf } from './statement.ts';

/** A signed file of a bundle. */
export interface SignedFile {
  readonly what: Signed;
  /** As in the statement. */
  readonly name: string;
  readonly content: Buffer;
  /** Path of the envelope in the bundle, for messages. */
  readonly signatureFile: string;
  readonly signature: Buffer;
}

/** Who has signed, or why that is not enough. */
export type Judgement = { readonly signers: readonly string[] } | { readonly fault: Fault };

/**
 * Whether enough keys of each list have signed a file. Every signature in the envelope must be right, and of a key of one
 * of the lists; how many count is a matter of each list's threshold and of the time.
 * @param at what time it is: an input, since the clock of a machine without a network may be wrong. Undefined: times are
 *   not judged
 */
export function judge(file: SignedFile, lists: readonly KeyList[], at: Date | undefined): Judgement {
  const envelope = parseEnvelope(file.signature);
  const fault = (kind: Fault['kind'], message: string, more: Partial<Fault> = {}): Judgement => ({
    fault: { kind, message, todo: DO_NOT_USE, file: file.signatureFile, ...more },
  });
  if (envelope === undefined || envelope.payloadType !== PAYLOAD_TYPE) {
    return fault('signature-form', `${file.signatureFile} is no signature: expected a DSSE envelope in canonical JSON`);
  }
  const payload = Buffer.from(envelope.payload, 'base64');
  const subject = subjectOf(file.what, file.name, payload);
  const found = hexOf(digestOf(file.content));
  if (subject === undefined) {
    return fault('signature-form', `${file.signatureFile} signs something else than ${file.name}`);
  }
  const bytes = signedBytes(PAYLOAD_TYPE, payload);
  const wrong = wrongSignature(envelope, bytes, lists);
  if (wrong !== undefined) return fault('signature-wrong', `${file.signatureFile}: the signature of ${wrong}`);
  if (subject !== found) {
    const message = `${file.name} is not the one that was signed: sha256 ${found}, expected ${subject}`;
    return fault('signature-other', message, { expected: subject, found });
  }
  const signers = new Set<string>();
  for (const list of lists) {
    const counted = countedBy(envelope, list, at);
    if (counted.signers.length < list.threshold) {
      const refused = counted.refused.map(({ id, why }) => `; key ${short(id)} ${why}`).join('');
      const [needed, have] = [String(list.threshold), String(counted.signers.length)];
      const message = `${file.name} has ${have} signatures that count by list ${list.version} of keys, expected ${needed}${refused}`;
      const todo = counted.refused.some(({ byTime }) => byTime) ? CLOCK_OR_KEY : DO_NOT_USE;
      return fault('signers-too-few', message, { todo, expected: needed, found: have });
    }
    for (const id of counted.signers) signers.add(id);
  }
  return { signers: [...signers] };
}

const CLOCK_OR_KEY =
  'look at the clock of this machine first, or say by --at what time it is; then ask for a bundle signed by a key that counts';

/** The first signature that is wrong, or of a key of no list. */
function wrongSignature(envelope: Envelope, bytes: Buffer, lists: readonly KeyList[]): string | undefined {
  const known = new Map(lists.flatMap(({ keys }) => keys.map((key) => [key.id, key] as const)));
  const seen = new Set<string>();
  for (const { keyid, sig } of envelope.signatures) {
    const key = known.get(keyid);
    const name = `key ${short(keyid)}`;
    if (key === undefined) return `${name} is of no key that is believed here (${listed(lists)})`;
    if (seen.has(keyid)) return `${name} stands twice`;
    seen.add(keyid);
    if (!isSignedBy(bytes, sig, publicKeyOf(key))) return `${name} is wrong`;
  }
  return undefined;
}

const listed = (lists: readonly KeyList[]): string => lists.map(({ version }) => `list ${version}`).join(', ');

interface Counted {
  readonly signers: readonly string[];
  readonly refused: readonly { readonly id: string; readonly why: string; readonly byTime: boolean }[];
}

function countedBy(envelope: Envelope, list: KeyList, at: Date | undefined): Counted {
  const own = envelope.signatures.flatMap(({ keyid }) => list.keys.find(({ id }) => id === keyid) ?? []);
  const judged = own.map((key) => ({ id: key.id, byTime: key.revoked !== true, why: refusalOf(key, at) }));
  return {
    signers: judged.flatMap(({ id, why }) => (why === undefined ? [id] : [])),
    refused: judged.flatMap(({ id, why, byTime }) => (why === undefined ? [] : [{ id, why, byTime }])),
  };
}

/** Enough of a name to tell keys apart. */
export const short = (keyId: string): string => keyId.slice(0, 12);
