import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { localInputs } from '../../../stacks/src/local/settings.ts';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'delos-local-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

const inputs = (values: Readonly<Record<string, string>>) =>
  localInputs((key) => values[key], { instance: 'mine', root });
const written = async (text: string): Promise<string> => {
  await writeFile(join(root, 'delos.yaml'), text);
  return 'delos.yaml';
};

describe('the configuration of the stack of a local cluster', () => {
  test('can be left out', async () => {
    expect(await inputs({})).toEqual({
      instance: 'mine',
      engine: 'embedded',
      config: '',
      digest: '',
      nodes: 0,
      deleteData: false,
    });
  });

  test('names a delos.yaml, whose text is part of what is compared', async () => {
    const config = await written('cluster: {engine: kind}\n');
    const first = await inputs({ config, deleteData: 'true' });
    expect(first).toMatchObject({ engine: 'kind', config: join(root, 'delos.yaml'), deleteData: true });
    await written('cluster: {engine: kind, name: other}\n');
    expect((await inputs({ config })).digest).not.toBe(first.digest);
  });

  test.each([
    [{ nodes: '0' }, 'nodes of the stack is "0": expected a number of nodes, 1 to 16'],
    [{ nodes: '17' }, 'nodes of the stack is "17"'],
    [{ deleteData: 'yes' }, 'deleteData of the stack is "yes": expected true or false'],
    [{ config: 'none.yaml' }, 'the configuration file cannot be read (ENOENT)'],
  ])('%j is refused', async (values, words) => {
    await expect(inputs(values)).rejects.toThrow(words);
  });

  test('is refused for a cluster of somebody else, and for more nodes than kind is told of', async () => {
    const config = await written('cluster: {engine: existing}\n');
    await expect(inputs({ config })).rejects.toThrow('that cluster is made by somebody else');
    await written('cluster: {engine: kind}\n');
    await expect(inputs({ config, nodes: '2' })).rejects.toThrow('nodes of the stack is for the embedded engine alone');
  });
});
