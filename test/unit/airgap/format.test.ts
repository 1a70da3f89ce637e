import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bundleIndex, digestOf, keyList, openBundle, Pace, verifyPacks } from '@delos/airgap';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { canonicalBytes, canonicalText, parseCanonical } from '../../../airgap/src/format/canonical.ts';
import { LEAST_PACK_BYTES, planPacks } from '../../../airgap/src/format/plan.ts';
import { packBytes } from '../../../airgap/src/format/tar.ts';
import {
  bundleIn,
  bytesOf,
  days,
  Folders,
  faultsOf,
  imageOf,
  listOf,
  NOW,
  signer,
} from '../../support/airgap/bundles.ts';
import { readIndex } from '../../support/airgap/mutations.ts';

const folders = new Folders();
afterAll(() => folders.end());

const DOCS = join(import.meta.dirname, '../../../docs');

describe('canonical JSON', () => {
  test('is one text for one value, whatever order its keys came in', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        fc.pre(!/\d[.eE]/.test(JSON.stringify(value)));
        const text = canonicalText(value as never);
        expect(JSON.parse(text)).toEqual(value);
        expect(canonicalText(JSON.parse(text))).toBe(text);
        expect(parseCanonical(Buffer.from(text))).toEqual(value);
      }),
    );
  });

  test.each(['{ "a":1}', '{"b":1,"a":1}', '{"a":1,"a":1}', '{"a":1}\n', '[1.0]', '["\\u0041"]', 'nonsense', ''])(
    'is not %j',
    (text) => {
      expect(parseCanonical(Buffer.from(text))).toBeUndefined();
    },
  );

  test('has no fractions', () => {
    expect(() => canonicalBytes([0.5])).toThrow(RangeError);
  });
});

describe('the plan of packs', () => {
  const blobs = fc.uniqueArray(fc.record({ word: fc.string(), size: fc.oneof(fc.nat(3_000), fc.nat(60_000)) }), {
    selector: ({ word }) => word,
    maxLength: 40,
  });

  test('holds each blob once, whole, in packs that are no longer than asked for', () => {
    fc.assert(
      fc.property(blobs, fc.integer({ min: LEAST_PACK_BYTES, max: 2 ** 17 }), (drawn, most) => {
        const list = drawn.map(({ word, size }) => ({ digest: digestOf(Buffer.from(word)), size }));
        const packs = planPacks(list, most);
        for (const pieces of packs) expect(packBytes(pieces.map(({ size }) => size))).toBeLessThanOrEqual(most);
        const pieces = packs.flat();
        for (const { digest, size } of list) {
          const own = pieces.filter(({ blob }) => blob === digest);
          expect(own.reduce((at, { from, size: length }) => (from === at ? at + length : -1), 0)).toBe(size);
          if (size < most - 3072) expect(own).toHaveLength(1);
        }
        expect(planPacks(list.toReversed(), most)).toEqual(packs);
      }),
    );
  });
});

describe('a bundle', () => {
  test('is the same, byte for byte, of the same inputs', async () => {
    const by = signer();
    const [one, two] = [join(await folders.make(), 'b'), join(await folders.make(), 'b')];
    for (const folder of [one, two]) await bundleIn(folder, { signers: [by] });
    const files = (await readdir(one, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
    expect(files.length).toBeGreaterThan(5);
    for (const { parentPath, name } of files) {
      const path = join(parentPath, name);
      expect((await readFile(path)).equals(await readFile(path.replace(one, two))), name).toBe(true);
    }
  });

  test('is whole as it was made, and a blob that is larger than a pack lies in several', async () => {
    const folder = join(await folders.make(), 'b');
    const { list } = await bundleIn(folder);
    expect(await faultsOf(folder, list)).toEqual([]);
    const { packs, blobs } = await readIndex(folder);
    const cut = blobs.filter(({ digest, size }) =>
      packs.some(({ pieces }) => pieces.some((piece) => piece.blob === digest && piece.size < size)),
    );
    expect(cut.map(({ size }) => size)).toEqual([50_000]);
  });

  test('is never written over another, and what a run that was killed has left there goes', async () => {
    const folder = join(await folders.make(), 'b');
    const { list, signers } = await bundleIn(folder);
    await expect(bundleIn(folder)).rejects.toThrow('has a bundle');
    // As a kill before the signature leaves it.
    const { rm, writeFile } = await import('node:fs/promises');
    await rm(join(folder, 'bundle.json.dsse'));
    await writeFile(join(folder, 'packs/.writing-7'), 'x');
    await bundleIn(folder, { signers });
    expect(await faultsOf(folder, list)).toEqual([]);
  });

  test('that is half copied says of every pack that is bad, once, and reads the others', async () => {
    const folder = join(await folders.make(), 'b');
    const { list } = await bundleIn(folder);
    const { rm, truncate } = await import('node:fs/promises');
    const packs = (await readdir(join(folder, 'packs'))).toSorted().map((name) => `packs/${name}`);
    const [gone = '', short = ''] = packs;
    await rm(join(folder, gone));
    await truncate(join(folder, short), 700);
    const faults = await faultsOf(folder, list);
    expect(faults.map(({ kind, file }) => `${kind} ${file}`).toSorted()).toEqual(
      [`pack-missing ${gone}`, `pack-size ${short}`].toSorted(),
    );
    expect(faults[0]?.todo).toContain('copy this one file again');
  });

  test('is read by two threads as by one, where it is large', async () => {
    const folder = join(await folders.make(), 'b');
    const large = imageOf('registry.example.com/team/large:1', [bytesOf('large', 5_000_000)]);
    const { list } = await bundleIn(folder, { content: large, packBytes: 2 ** 22 });
    const bundle = await openBundle(folder, { pinned: list, at: NOW });
    const { size } = bundle.index.packs[0] ?? { size: 0 };
    expect(await verifyPacks(bundle, { beside: true })).toEqual(await verifyPacks(bundle, { beside: false }));
    const path = join(folder, 'packs', (await readdir(join(folder, 'packs')))[0] ?? '');
    const { open } = await import('node:fs/promises');
    const file = await open(path, 'r+');
    await file.write(Buffer.from([1, 2, 3]), 0, 3, size - 2_000_000 > 0 ? size - 2_000_000 : 100_000);
    await file.close();
    const { faults } = await verifyPacks(bundle, { beside: true });
    expect(faults.length).toBeGreaterThan(0);
    expect(faults).toEqual((await verifyPacks(bundle, { beside: false })).faults);
  });

  test('made of a list of keys that sites lack carries it', async () => {
    const by = signer();
    const folder = join(await folders.make(), 'b');
    await bundleIn(folder, { signers: [by], createdAt: days(-1) });
    expect(await faultsOf(folder, listOf([by]))).toEqual([]);
  });
});

test('the pace of something tells how far it is and how long it will take', () => {
  const pace = new Pace(4 * 2 ** 30, 0);
  expect(pace.words(2 ** 30, 4000)).toBe('1.0 of 4.0 GiB, 256 MiB/s, 12 s to go');
  expect(new Pace(10 * 2 ** 20, 0).words(2 ** 20, 100_000)).toBe('1.0 of 10.0 MiB, 0 MiB/s, 15 min to go');
});

test.each([
  ['bundle-index.schema.json', 'The index of a Delos bundle', bundleIndex],
  ['bundle-keys.schema.json', 'A list of keys that may sign Delos bundles', keyList],
])('docs/%s is the schema that the command checks with', async (file, title, schema) => {
  const text = `${JSON.stringify({ title, ...z.toJSONSchema(schema, { unrepresentable: 'any' }) }, undefined, 2)}\n`;
  await expect(text).toMatchFileSnapshot(join(DOCS, file));
});
