import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOf, joined } from '@delos/airgap';
import fc from 'fast-check';
import { bundleIn, bytesOf, days, faultsOf, imageOf, listOf, signer, someContent } from './bundles.ts';
import { MUTATIONS, mutated, type Site } from './mutations.ts';

/** A bundle, and a later one by the same signer. */
export async function siteIn(folder: string): Promise<Site> {
  const by = signer();
  const list = listOf([by]);
  await bundleIn(join(folder, 'bundle'), { signers: [by], list });
  const more = joined([someContent(), imageOf('registry.example.com/team/more:1', [bytesOf('more', 3000)])]);
  await bundleIn(join(folder, 'other'), { signers: [by], list, content: more, createdAt: days(1) });
  return { folder: join(folder, 'bundle'), other: join(folder, 'other'), signer: by, list };
}

/** Digest of each file below a folder. */
async function contentOf(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  const sums = await Promise.all(files.toSorted().map(async (file) => `${file} ${digestOf(await readFile(file))}`));
  return sums.join('\n');
}

/**
 * Draws this many mutations, each kind at least once where there are enough, and expects each refused: by a fault that
 * says where, what, and what to do; with nothing changed.
 * @returns how many there were of each kind of fault
 */
export async function refuseAll(site: Site, work: string, runs: number): Promise<ReadonlyMap<string, number>> {
  const kinds = new Map<string, number>();
  let nth = 0;
  const draw = fc.tuple(fc.nat(), fc.nat(), fc.nat());
  await fc.assert(
    fc.asyncProperty(draw, async (drawn) => {
      const which = nth;
      nth += 1;
      const place = join(work, String(nth));
      await mkdir(place, { recursive: true });
      try {
        const copy = join(place, 'bundle');
        const { name, list, at } = await mutated(site, copy, which, drawn);
        const before = await contentOf(place);
        const faults = await faultsOf(copy, list, at);
        const [first] = faults;
        if (first === undefined) throw new Error(`accepted: ${name} (${drawn.join(', ')})`);
        const named =
          [first.file, first.pack, first.blob].some((each) => each !== undefined) || /list \d|here/.test(first.message);
        if (!named || first.todo === '' || first.message === '')
          throw new Error(`not named: ${name}: ${JSON.stringify(first)}`);
        if ((await contentOf(place)) !== before) throw new Error(`changed something: ${name}`);
        kinds.set(first.kind, (kinds.get(first.kind) ?? 0) + 1);
      } finally {
        await rm(place, { recursive: true, force: true });
      }
    }),
    { numRuns: runs, endOnFailure: true },
  );
  if (runs < MUTATIONS.length) throw new Error(`${runs} runs do not try all ${MUTATIONS.length} mutations`);
  return kinds;
}
