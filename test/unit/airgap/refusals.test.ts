import { truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { Folders, faultsOf } from '../../support/airgap/bundles.ts';
import { MUTATIONS, sparse } from '../../support/airgap/mutations.ts';
import { refuseAll, siteIn } from '../../support/airgap/refusals.ts';

const folders = new Folders();
afterAll(() => folders.end());

test(`a bundle is refused after each of ${MUTATIONS.length} mutations, drawn at random places`, async () => {
  const folder = await folders.make();
  const site = await siteIn(folder);
  expect(await faultsOf(site.folder, site.list)).toEqual([]);
  expect(await faultsOf(site.other, site.list)).toEqual([]);
  const kinds = await refuseAll(site, join(folder, 'work'), MUTATIONS.length);
  expect(kinds.size).toBeGreaterThan(10);
});

test('a file that is longer than any such file is not read', async () => {
  const folder = await folders.make();
  const site = await siteIn(folder);
  await sparse(join(site.folder, 'bundle.json'), 2 ** 40);
  expect(await faultsOf(site.folder, site.list)).toMatchObject([{ kind: 'file-too-long', file: 'bundle.json' }]);
  await truncate(join(site.folder, 'bundle.json'), 0);
  expect(await faultsOf(site.folder, site.list)).toMatchObject([{ kind: 'signature-other' }]);
});
