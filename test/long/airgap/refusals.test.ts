import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { Folders } from '../../support/airgap/bundles.ts';
import { refuseAll, siteIn } from '../../support/airgap/refusals.ts';

const folders = new Folders();
afterAll(() => folders.end());

test('600 mutations of a bundle at random places are refused, each named, and nothing is changed', async () => {
  const folder = await folders.make();
  const kinds = await refuseAll(await siteIn(folder), join(folder, 'work'), 600);
  const refused = [...kinds.values()].reduce((sum, count) => sum + count, 0);
  expect(refused).toBe(600);
  expect([...kinds.keys()].toSorted()).toEqual(
    expect.arrayContaining([
      'blob-changed',
      'clock',
      'file-kind',
      'index-form',
      'index-rules',
      'pack-changed',
      'pack-entry',
      'signature-other',
      'signature-wrong',
      'signers-too-few',
    ]),
  );
});
