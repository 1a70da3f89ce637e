import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CHUNK_BYTES } from '../../../../cli/src/commands/backup/format.ts';
import { readBackup } from '../../../../cli/src/commands/backup/reader.ts';
import { writeBackup } from '../../../../cli/src/commands/backup/writer.ts';

const folder = mkdtempSync(join(tmpdir(), 'delos-backup-'));
const file = join(folder, 'one.backup');
let key: string;

beforeAll(async () => {
  key = await generateX25519Identity();
});
afterAll(() => rmSync(folder, { recursive: true }));

const END = Buffer.alloc(1024);

async function sealed(): Promise<Encrypter> {
  const encrypter = new Encrypter();
  encrypter.addRecipient(await identityToRecipient(key));
  return encrypter;
}

function opener(identity = key): Decrypter {
  const decrypter = new Decrypter();
  decrypter.addIdentity(identity);
  return decrypter;
}

async function write(services: Readonly<Record<string, readonly Buffer[]>>, to = file, secrets = '{"a":1}') {
  rmSync(to, { force: true });
  return await writeBackup(to, await sealed(), {
    about: {
      release: '0.1.0',
      instance: 'delos',
      createdAt: '2026-11-30T08:00:00.000Z',
      services: Object.keys(services).map((name) => ({ name, version: '17.1' })),
    },
    config: 'domain: example.com\n',
    secrets,
    open: async function* (name) {
      yield* services[name] ?? [];
    },
  });
}

describe('a backup file', () => {
  test('gives back every byte, however its services cut what they write', async () => {
    const pieces = fc.array(fc.uint8Array({ minLength: 1, maxLength: 3000 }), { maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(pieces, pieces, async (one, two) => {
        const services = { postgres: [...one.map(Buffer.from), END], devpi: [...two.map(Buffer.from), END] };
        const written = await write(services);
        const got = new Map<string, Buffer[]>();
        const read = await readBackup(file, opener(), {
          onChunk: async (name, bytes) => {
            got.set(name, [...(got.get(name) ?? []), bytes]);
          },
        });
        expect(read.about).toEqual(written.about);
        expect([read.config, read.secrets]).toEqual(['domain: example.com\n', '{"a":1}']);
        for (const [name, content] of Object.entries(services)) {
          expect(Buffer.concat(got.get(name) ?? [])).toEqual(Buffer.concat(content));
        }
      }),
      { numRuns: 15 },
    );
  });

  test('holds a service that is longer than a chunk', async () => {
    const content = [randomBytes(CHUNK_BYTES + 17), randomBytes(CHUNK_BYTES * 2), END];
    await write({ postgres: content });
    const sizes: number[] = [];
    await readBackup(file, opener(), {
      onChunk: async (_, bytes) => {
        sizes.push(bytes.length);
      },
    });
    expect(sizes).toEqual([CHUNK_BYTES, CHUNK_BYTES, CHUNK_BYTES, 17 + END.length]);
  });

  test('says nothing to whoever has no key, and is readable for its owner alone', async () => {
    await write({ postgres: [END] }, file, 'a-secret-that-nobody-sees');
    expect(readFileSync(file).includes('a-secret')).toBe(false);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    await expect(readBackup(file, opener(await generateX25519Identity()))).rejects.toThrow(
      /does not open with this key/,
    );
  });

  test('opens with its passphrase and no other', async () => {
    const encrypter = new Encrypter();
    encrypter.setScryptWorkFactor(10);
    encrypter.setPassphrase('correct horse battery staple');
    const about = { release: '0.1.0', instance: 'x', createdAt: '2026-11-30T08:00:00.000Z', services: [] };
    const at = join(folder, 'passphrase.backup');
    await writeBackup(at, encrypter, { about, config: '', secrets: '{}', open: async function* () {} });
    const right = new Decrypter();
    right.addPassphrase('correct horse battery staple');
    expect((await readBackup(at, right)).about.instance).toBe('x');
    const wrong = new Decrypter();
    wrong.addPassphrase('wrong horse battery staple');
    await expect(readBackup(at, wrong)).rejects.toMatchObject({ code: 'ERR_BACKUP' });
  });

  test('is refused wherever it is cut off or changed', async () => {
    await write({ postgres: [randomBytes(70_000), END] });
    const whole = readFileSync(file);
    const at = join(folder, 'damaged.backup');
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.boolean(), async (place, cut) => {
        const damaged = Buffer.from(cut ? whole.subarray(0, place) : whole);
        if (!cut) damaged[place] = (damaged[place] ?? 0) ^ 1;
        writeFileSync(at, damaged);
        await expect(readBackup(at, opener())).rejects.toMatchObject({ code: 'ERR_BACKUP', where: { file: at } });
      }),
      { numRuns: 60 },
    );
    writeFileSync(at, Buffer.concat([whole, Buffer.from('more')]));
    await expect(readBackup(at, opener())).rejects.toMatchObject({ code: 'ERR_BACKUP' });
  });

  test.each([
    ['a service whose tar has no end', [Buffer.alloc(2000, 1)], /postgres wrote 2000 bytes, and its tar has no end/],
    ['a service that writes nothing', [], /postgres wrote 0 bytes/],
  ])('is not there after %s', async (_, content, message) => {
    const at = join(folder, 'none', '..', 'cut.backup');
    await expect(write({ postgres: content }, at)).rejects.toThrow(message);
    expect(readdirSync(folder).filter((name) => name.startsWith('cut'))).toEqual([]);
  });

  test('is not there after a service has failed, whose words are told', async () => {
    const at = join(folder, 'failed.backup');
    const writing = writeBackup(at, await sealed(), {
      about: {
        release: '0.1.0',
        instance: 'x',
        createdAt: '2026-11-30T08:00:00.000Z',
        services: [{ name: 'postgres', version: '17' }],
      },
      config: '',
      secrets: '{}',
      open: async function* () {
        yield randomBytes(CHUNK_BYTES * 2);
        throw new Error('the Pod is gone');
      },
    });
    await expect(writing).rejects.toThrow('the Pod is gone');
    expect(readdirSync(folder).filter((name) => name.startsWith('failed'))).toEqual([]);
  });
});
