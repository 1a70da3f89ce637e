import { createHash, randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ApoloClient, apoloClient } from '../../../../peers/src/apolo.ts';
import { type BucketWorld, bucketWorld } from '../../../support/objects/bucket-world.ts';

/* The official client's own library, with its own S3, through the gateway. What its commands print is in test/long. */

let world: BucketWorld;
let alice: ApoloClient;
beforeAll(async () => {
  [world, alice] = await Promise.all([bucketWorld(), apoloClient()]);
  await alice.ok(['config', 'login-with-token', await world.issuer.token('alice'), `${world.url}/api/v1`]);
});
afterAll(async () => {
  await alice?.close();
  await world?.stop();
});

test('the client’s library makes, fills, lists, reads, signs, shares and removes a bucket', async () => {
  const bytes = randomBytes(21 * 2 ** 20 + 7);
  await writeFile(join(alice.home, 'large'), bytes, { mode: 0o644 });
  const { code, stdout, stderr } = await alice.python(SCRIPT, { timeout: 120 });
  expect([code, stderr]).toEqual([0, '']);
  const { shared, keys, found, empty, usage, persistent, refused } = JSON.parse(stdout);
  expect(keys).toEqual(['folder/empty', 'folder/größe 1', 'folder/large']);
  expect(found).toEqual(['folder/large']);
  expect(empty).toBe(0);
  expect(usage).toEqual([bytes.length + 5, 3]);
  expect(shared).toBe(createHash('sha256').update(bytes).digest('hex'));
  expect((await readFile(join(alice.home, 'back'))).equals(bytes)).toBe(true);
  expect(persistent).toEqual([true, 'robot']);
  // Where a library tidies no path, dots in a key are refused by the storage.
  expect(refused).toEqual(['InvalidArgument', 'InvalidArgument', 'AccessDenied']);
});

const SCRIPT = `
import aiohttp, asyncio, hashlib, json, pathlib, apolo_sdk, botocore.exceptions
from yarl import URL

async def main():
    async with await apolo_sdk.get() as client:
        buckets = client.buckets
        bucket = await buckets.create(name="mine")
        other = await buckets.create(name="other")
        here = pathlib.Path.home()
        (here / "empty").write_bytes(b"")
        uri = URL("blob:mine/folder/")
        await buckets.upload_file(URL((here / "large").as_uri()), uri / "large")
        await buckets.upload_file(URL((here / "empty").as_uri()), uri / "empty")
        await buckets.put_blob("mine", "folder/größe 1", b"hello")
        async with buckets.list_blobs(URL("blob:mine"), recursive=True) as it:
            keys = sorted([entry.key async for entry in it])
        async with buckets.glob_blobs(URL("blob:mine/fol*/l*")) as it:
            found = [entry.key async for entry in it]
        empty = (await buckets.head_blob("mine", "folder/empty")).size
        async with buckets.get_disk_usage("mine") as it:
            usage = [[each.total_bytes, each.object_count] async for each in it][-1]
        await buckets.download_file(uri / "large", URL((here / "back").as_uri()))
        url = await buckets.make_signed_url(uri / "large", 300)
        async with aiohttp.ClientSession() as anybody, anybody.get(str(url)) as answer:
            shared = hashlib.sha256(await answer.read()).hexdigest()
        refused = []
        async with buckets._get_provider(URL(str(bucket.uri))) as provider:
            s3 = provider._client
            for where in (
                dict(Bucket=bucket.id, Key=f"../{other.id}/x"),
                dict(Bucket=bucket.id, Key=f"a/../../{other.id}/x"),
                dict(Bucket=other.id, Key="x"),
            ):
                try:
                    await s3.put_object(Body=b"x", **where)
                    refused.append("written")
                except botocore.exceptions.ClientError as error:
                    refused.append(error.response["Error"]["Code"])
        made = await buckets.persistent_credentials_create([bucket.id], name="robot", read_only=True)
        async with buckets.persistent_credentials_list() as it:
            listed = [each async for each in it]
        await buckets.persistent_credentials_rm("robot")
        await buckets.set_public_access("mine", True)
        assert (await buckets.get(bucket.id)).public
        await buckets.blob_rm(uri, recursive=True)
        await buckets.rm("mine")
        async with buckets.list() as it:
            assert [each.name async for each in it] == ["other"]
        print(json.dumps(dict(
            shared=shared, keys=keys, found=found, empty=empty, usage=usage, refused=refused,
            persistent=[listed == [made], made.name],
        )))

asyncio.run(main())
`;
