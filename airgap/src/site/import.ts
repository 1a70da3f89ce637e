import { DelosError } from '@delos/core';
import { type Digest, digestOf, hexOf } from '../format/digest.ts';
import type { OpenBundle } from '../read/open.ts';
import type { Registry } from '../registry/client.ts';
import { type ImportPlan, type Naming, type Span, spansOf, type Upload } from './import-plan.ts';
import type { Journal } from './journal.ts';
import { PackFiles } from './pack-files.ts';

export interface ImportOptions {
  readonly registry: Registry;
  readonly journal: Journal;
  /** How many blobs are sent at once. @default 4 */
  readonly parallel?: number;
  readonly signal?: AbortSignal;
  /** Bytes that were sent so far, and of what. */
  readonly onProgress?: (done: number, what: string) => void;
  /** Told before and after whatever changes something, so that tests can end the process there. */
  readonly onStep?: (what: string) => Promise<void> | void;
  /** Bytes of one request of a blob: what is sent again after a kill, at most. @default 64 MiB */
  readonly chunkBytes?: number;
}

/** What an import has done. */
export interface Imported {
  /** Bytes of blobs that were sent. */
  readonly bytes: number;
  readonly uploads: number;
  readonly mounts: number;
  readonly manifests: number;
}

const PARALLEL = 4;
const CHUNK_BYTES = 64 * 2 ** 20;

/**
 * Sends what the registry lacks of a bundle, from its packs: each blob is read where it lies in its pack and goes out in pieces of some hundred KiB, so that
 * nothing is unpacked and memory does not grow. The registry says what is there already, and compares each blob with
 * its digest. Manifests come last: an image is there whole or not at all. May be killed at any instant and called again.
 * @throws DelosError ERR_BUNDLE_IMPORT
 */
export async function importBundle(bundle: OpenBundle, plan: ImportPlan, options: ImportOptions): Promise<Imported> {
  const packs = new PackFiles(bundle.folder);
  const work = new ImportWork(packs, options);
  try {
    await inParallel(plan.uploads, options.parallel ?? PARALLEL, (upload) => work.upload(upload));
    const spans = spansOf(bundle.index);
    await inParallel(plan.mounts, options.parallel ?? PARALLEL, ({ digest, repository, from }) =>
      work.mount(digest, repository, from, spans.get(digest)),
    );
    const repositories = new Map(plan.base.map(({ digest, repositories: known }) => [digest, known]));
    for (const naming of plan.namings)
      await work.name(naming, spans.get(naming.digest), repositories.get(naming.digest) ?? []);
    return { ...work.done };
  } finally {
    await packs.close();
  }
}

class ImportWork {
  readonly done = { bytes: 0, uploads: 0, mounts: 0, manifests: 0 };
  readonly #packs: PackFiles;
  readonly #options: ImportOptions;
  readonly #registry: Registry;

  constructor(packs: PackFiles, options: ImportOptions) {
    this.#packs = packs;
    this.#options = options;
    this.#registry = options.registry;
  }

  async upload({ digest, size, spans, repository }: Upload): Promise<void> {
    const { signal, journal, chunkBytes = CHUNK_BYTES } = this.#options;
    if ((await this.#registry.tryBlob(repository, digest, signal)) === size) return;
    const before = journal.tryUpload(digest);
    const there = before === undefined ? undefined : await this.#registry.tryUpload(repository, before, signal);
    let at = there !== undefined && there.bytes <= size ? there.bytes : 0;
    let location = at > 0 && there !== undefined ? there.location : undefined;
    if (location === undefined) {
      await this.#step('begin');
      location = await this.#registry.beginUpload(repository, signal);
    }
    if (at === 0 && size <= chunkBytes) {
      const bytes = () => this.#counted(this.#packs.read(spans, 0, size, 'lent'), digest);
      await this.#step('send');
      await this.#registry.endUpload(repository, location, digest, signal, { length: size, bytes });
      await this.#step('stored');
      this.done.uploads += 1;
      return;
    }
    while (at < size) {
      const length = Math.min(chunkBytes, size - at);
      const from = at;
      const bytes = () => this.#counted(this.#packs.read(spans, from, length, 'lent'), digest);
      await this.#step('send');
      location = await this.#registry.send(repository, location, at, length, bytes, signal);
      at += length;
      // Where one request is the whole blob, to begin anew costs no more than to ask.
      if (at < size) journal.write({ upload: digest, location });
      await this.#step('sent');
    }
    await this.#registry.endUpload(repository, location, digest, signal);
    await this.#step('stored');
    this.done.uploads += 1;
  }

  async mount(digest: Digest, repository: string, from: string, spans: readonly Span[] | undefined): Promise<void> {
    const { signal } = this.#options;
    if ((await this.#registry.tryBlob(repository, digest, signal)) !== undefined) return;
    await this.#step('mount');
    if (await this.#registry.mount(repository, digest, from, signal)) {
      await this.#step('mounted');
      this.done.mounts += 1;
      return;
    }
    // Some registries take nothing over: then it is sent once more.
    if (spans === undefined) throw this.#lost(digest, from);
    const size = spans.reduce((sum, span) => sum + span.size, 0);
    await this.upload({ digest, size, spans, repository });
  }

  async name(
    { digest, mediaType, repository, reference }: Naming,
    spans: readonly Span[] | undefined,
    known: readonly string[],
  ): Promise<void> {
    const { signal } = this.#options;
    if ((await this.#registry.tryManifest(repository, reference, signal)) === digest) return;
    const bytes =
      spans === undefined ? await this.#atSite(digest, [repository, ...known]) : await this.#packs.whole(spans);
    if (bytes === undefined || digestOf(bytes) !== digest) throw this.#lost(digest, repository);
    await this.#step('name');
    await this.#registry.putManifest(repository, reference, mediaType, bytes, signal);
    await this.#step('named');
    this.done.manifests += 1;
  }

  async #atSite(digest: Digest, repositories: readonly string[]): Promise<Buffer | undefined> {
    for (const repository of repositories) {
      const bytes = await this.#registry.readManifest(repository, digest, this.#options.signal);
      if (bytes !== undefined) return bytes;
    }
    return undefined;
  }

  async *#counted(bytes: AsyncIterable<Buffer>, digest: Digest): AsyncGenerator<Buffer> {
    for await (const piece of bytes) {
      this.#options.signal?.throwIfAborted();
      this.done.bytes += piece.length;
      this.#options.onProgress?.(this.done.bytes, `blob ${hexOf(digest).slice(0, 12)}`);
      yield piece;
    }
  }

  async #step(what: string): Promise<void> {
    await this.#options.onStep?.(what);
  }

  #lost(digest: Digest, where: string): DelosError {
    return new DelosError('ERR_BUNDLE_IMPORT', `${digest} is no longer in ${where} of the registry, or has changed`, {
      hint: 'did somebody remove images meanwhile? The same command looks again, and says what lacks',
    });
  }
}

/** Does all, so many at once. The first failure ends what has not begun, and what has is waited for. */
async function inParallel<T>(list: readonly T[], most: number, work: (each: T) => Promise<void>): Promise<void> {
  const rest = [...list];
  let failed: unknown;
  const worker = async (): Promise<void> => {
    for (let next = rest.shift(); next !== undefined && failed === undefined; next = rest.shift()) {
      try {
        await work(next);
      } catch (error) {
        failed ??= error;
      }
    }
  };
  await Promise.all(Array.from({ length: most }, worker));
  if (failed !== undefined) throw failed;
}
