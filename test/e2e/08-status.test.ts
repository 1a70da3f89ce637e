import { beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { delosJson, kubectl, testPlatform } from '../support/instance.ts';
import { until } from '../support/until.ts';

const statusDocument = z.looseObject({
  up: z.boolean(),
  services: z.array(
    z.looseObject({
      name: z.string(),
      ready: z.boolean(),
      message: z.string().optional(),
      todo: z.string().optional(),
    }),
  ),
});

const status = () => delosJson(statusDocument, ['status']);
const redis = async () => (await status()).services.find(({ name }) => name === 'redis');

beforeAll(async () => {
  await testPlatform();
});

test('status says which Pod keeps a service from being ready, why, and what to do; and nothing once it is', async () => {
  const of = ['-n', 'delos', 'deployment/redis'] as const;
  const image = await kubectl(['get', ...of, '-o', 'jsonpath={.spec.template.spec.containers[0].image}']);
  const set = (name: string) => kubectl(['set', 'image', ...of, `redis=${name}`]);
  await set('registry.delos.internal/delos/none:1');
  try {
    const ill = await until('redis is not ready', 60, async (last) => {
      const found = await redis();
      last(found);
      return found?.message?.includes('pull') === true ? found : undefined;
    });
    expect(ill).toMatchObject({
      ready: false,
      message: expect.stringMatching(
        /^Pod redis-\S+: container redis: (ErrImagePull|ImagePullBackOff): .*delos\/none:1/,
      ),
      todo: expect.stringContaining('`delos up`'),
    });
    expect((await status()).up).toBe(false);
  } finally {
    await set(image);
  }
  await until('redis is ready again', 60, async (last) => {
    const found = await redis();
    last(found);
    return found?.ready === true && found.message === undefined ? true : undefined;
  });
});
