import { X509Certificate } from 'node:crypto';
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { newKey } from './client.ts';

/** What is kept on the volume: the account's key, and the certificate with its key. Each file is whole, or the former one. */
export class AcmeStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The account's key, made at the first time and kept for ever: the server knows the account by it. */
  async accountKey(directory: string): Promise<string> {
    // An account is one server's.
    const name = `account-${Buffer.from(directory).toString('base64url').slice(-40)}.pem`;
    const known = await this.#tryRead(name);
    if (known !== undefined) return known;
    const key = newKey();
    await this.#write(name, key);
    return key;
  }

  /** Certificate and key in one file, so that they are a pair whenever a process is killed. */
  async tryPair(): Promise<Pair | undefined> {
    const text = await this.#tryRead('pair.json');
    if (text === undefined) return undefined;
    const { certificate, key, directory } = JSON.parse(text) as Pair;
    return { certificate, key, directory };
  }

  async keep(pair: Pair): Promise<void> {
    await this.#write('pair.json', JSON.stringify(pair));
  }

  async #tryRead(name: string): Promise<string | undefined> {
    return await readFile(join(this.#folder, name), 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
  }

  async #write(name: string, text: string): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    const next = join(this.#folder, `${name}.next`);
    const file = await open(next, 'w', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(next, join(this.#folder, name));
  }
}

export interface Pair {
  /** The chain, PEM. */
  readonly certificate: string;
  readonly key: string;
  /** Whose it is. */
  readonly directory: string;
}

/** Renewed when so much of its life is left. */
export const RENEW_SHARE = 1 / 3;

/** Why another certificate is to be had; undefined where this one is good. */
export function dueFor(
  pair: Pair | undefined,
  wanted: { readonly directory: string; readonly names: readonly string[] },
  now: Date,
  share = RENEW_SHARE,
): string | undefined {
  if (pair === undefined) return 'there is none yet';
  if (pair.directory !== wanted.directory) return 'it is of another server';
  const { validFrom, validTo, subjectAltName = '' } = new X509Certificate(pair.certificate);
  const has = subjectAltName.split(', ').map((name) => name.replace(/^DNS:/, '').toLowerCase());
  const missing = wanted.names.filter((name) => !has.includes(name));
  if (missing.length > 0) return `it is not for ${missing.join(', ')}`;
  const [from, to] = [Date.parse(validFrom), Date.parse(validTo)];
  return now.getTime() > to - (to - from) * share ? 'its time is nearly over' : undefined;
}
