import { type BucketRights, bucketCredential, DelosError } from '@delos/core';
import { AwsClient } from 'aws4fetch';
import { type BucketSettings, REGION, signingKeys } from './settings.ts';

/** Of one request: a client that asks the API waits for it. */
const TIMEOUT_MS = 10_000;
/** A credential of ours, for one request. */
const LIFE_SECONDS = 300;
/** Requests at once. More are refused: each may hold a connection to the database. */
const MOST = 4;

let underWay = 0;

/** Makes the bucket. One that is there is made. @throws DelosError ERR_BUSY */
export async function makeBucket(settings: BucketSettings, bucket: string): Promise<void> {
  const { status, code } = await ask(settings, bucket, 'PUT', '');
  if (status !== 200 && code !== 'BucketAlreadyOwnedByYou' && code !== 'BucketAlreadyExists')
    throw refused(status, code);
}

/** Removes the bucket where it is empty. One that is not there is removed. @throws DelosError ERR_BUSY */
export async function removeBucket(settings: BucketSettings, bucket: string): Promise<'removed' | 'not empty'> {
  const { status, code } = await ask(settings, bucket, 'DELETE', '');
  if (code === 'BucketNotEmpty') return 'not empty';
  if (status !== 204 && code !== 'NoSuchBucket') throw refused(status, code);
  return 'removed';
}

/** Sets or, where it is undefined, takes away the bucket's policy. @throws DelosError ERR_BUSY */
export async function setPolicy(settings: BucketSettings, bucket: string, policy: string | undefined): Promise<void> {
  const { status, code } = await ask(settings, bucket, policy === undefined ? 'DELETE' : 'PUT', '?policy', policy);
  if (status >= 300 && code !== 'NoSuchBucketPolicy') throw refused(status, code);
}

/**
 * An address that lets everybody who has it read one object, until its end.
 * @param publicUrl of the platform's buckets, without a trailing slash
 */
export async function signedUrl(
  settings: BucketSettings,
  publicUrl: string,
  { bucket, key, seconds }: { readonly bucket: string; readonly key: string; readonly seconds: number },
): Promise<string> {
  const end = Math.floor(Date.now() / 1000) + seconds;
  const path = key.split('/').map(escaped).join('/');
  const { url } = await client(settings, bucket, 'r', end).sign(
    `${publicUrl}/${bucket}/${path}?X-Amz-Expires=${seconds}`,
    { aws: { signQuery: true } },
  );
  return url;
}

/** As S3 escapes: RFC 3986's unreserved characters alone stay. */
const escaped = (part: string): string =>
  encodeURIComponent(part).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);

function client(settings: BucketSettings, bucket: string, rights: BucketRights | 'm', end: number): AwsClient {
  const { accessKey, secretKey } = bucketCredential(signingKeys(settings)[0], { bucket, rights, end });
  return new AwsClient({
    accessKeyId: accessKey,
    secretAccessKey: secretKey,
    service: 's3',
    region: REGION,
    retries: 0,
  });
}

async function ask(
  settings: BucketSettings,
  bucket: string,
  method: string,
  query: string,
  body?: string,
): Promise<{ readonly status: number; readonly code: string }> {
  if (underWay >= MOST) throw busy('too many ask for changes of buckets at once');
  underWay += 1;
  try {
    const end = Math.floor(Date.now() / 1000) + LIFE_SECONDS;
    const answer = await client(settings, bucket, 'm', end).fetch(`${settings.url}/${bucket}${query}`, {
      method,
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(body === undefined ? {} : { body }),
    });
    const text = await answer.text();
    return { status: answer.status, code: /<Code>([^<]{1,100})<\/Code>/.exec(text)?.[1] ?? '' };
  } catch (cause) {
    throw busy('the object storage does not answer', cause);
  } finally {
    underWay -= 1;
  }
}

const refused = (status: number, code: string): DelosError => busy(`the object storage answered ${status} ${code}`);

const busy = (message: string, cause?: unknown): DelosError =>
  new DelosError('ERR_BUSY', message, {
    hint: 'try again in a moment',
    ...(cause === undefined ? {} : { cause }),
  });
