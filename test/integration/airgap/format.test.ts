import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOf } from '@delos/airgap';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { execute, expectOk } from '../../../peers/src/command.ts';
import { bundleIn, Folders, type Signer, signer, someContent } from '../../support/airgap/bundles.ts';
import { documented } from '../../support/airgap/documented.ts';
import { readIndex } from '../../support/airgap/mutations.ts';

/* The format by other programs than ours, with the very lines of docs/bundle-format.md: openssl, tar, jq, sha256sum. */

const folders = new Folders();
let folder: string;
let by: Signer;
beforeAll(async () => {
  folder = join(await folders.make(), 'bundle');
  by = signer();
  await bundleIn(folder, { signers: [by], content: someContent() });
  await writeFile(join(folder, 'key.pub'), by.publicPem);
});
afterAll(() => folders.end());

const shell = (lines: string) => execute(['bash', '-c', `set -euo pipefail\n${lines}`], { cwd: folder });

describe('openssl', () => {
  const lines = documented('By openssl alone');

  test('verifies the signature, which names the index by its digest', async () => {
    const said = await expectOk(shell(lines));
    expect(said).toContain('Signature Verified Successfully');
    const [named, found] = said.match(/\b[0-9a-f]{64}\b/g) ?? [];
    expect(named).toBe(found);
  });

  test('refuses that of another key, and one byte more', async () => {
    await writeFile(join(folder, 'key.pub'), signer().publicPem);
    expect((await shell(lines)).code).not.toBe(0);
    await writeFile(join(folder, 'key.pub'), by.publicPem);
    const more = lines.replace('cat payload; }', "cat payload; printf ' '; }");
    expect(more).not.toBe(lines);
    expect((await shell(more)).code).not.toBe(0);
    expect((await shell(lines)).code).toBe(0);
  });

  test('makes keys that sign, and names them as we do', async () => {
    await expectOk(
      shell('openssl genpkey -algorithm ed25519 -out own.key && openssl pkey -in own.key -pubout -out own.pub'),
    );
    const said = await expectOk(shell('openssl pkey -pubin -in own.pub -pubout -outform DER | sha256sum'));
    const { readPrivateKey, readPublicKey, keyIdOf } = await import('@delos/airgap');
    expect(keyIdOf(readPublicKey(join(folder, 'own.pub')))).toBe(said.slice(0, 64));
    expect(keyIdOf(readPrivateKey(join(folder, 'own.key')))).toBe(said.slice(0, 64));
    for (const file of ['own.key', 'own.pub']) await rm(join(folder, file));
  });
});

test('sha256sum finds that each pack has the name of its digest', async () => {
  const said = await expectOk(
    shell(
      'cd packs && for pack in sha256-*.tar; do echo "$(echo "$pack" | cut -c8-71)  $pack"; done | sha256sum -c --quiet && ls | wc -l',
    ),
  );
  expect(Number(said)).toBe((await readIndex(folder)).packs.length);
});

test('tar and jq make an OCI layout of the packs, of which each blob has the name of its digest', async () => {
  const lines = documented('So any part is served as an OCI layout').replace(/^skopeo .*$/m, '');
  await expectOk(shell(lines));
  const index = await readIndex(folder);
  for (const { digest, size } of index.blobs) {
    const bytes = await readFile(join(folder, 'layout/blobs/sha256', digest.slice(7)));
    expect([digestOf(bytes), bytes.length]).toEqual([digest, size]);
  }
  const layout = JSON.parse(await readFile(join(folder, 'layout/index.json'), 'utf8'));
  expect(layout.manifests).toHaveLength(index.items.length);
  await rm(join(folder, 'layout'), { recursive: true });
});
