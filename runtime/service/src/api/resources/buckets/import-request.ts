import { z } from 'zod';
import { nameOf, ofProject } from './request.ts';

/** Longest of a credential's texts: a key of a service account is 3 KiB. */
const MOST_TEXT = 16 * 1024;

const text = z.string().min(1).max(MOST_TEXT);
const endpoint = z.url({ protocol: /^https?$/, error: 'expected an address such as https://s3.example.com' }).max(1024);

/** Amazon, whose endpoint follows from the region, or one that speaks the same. */
const s3 = z.object({
  access_key_id: text,
  secret_access_key: text,
  region_name: z
    .string()
    .regex(/^[a-z0-9-]{1,64}$/, 'expected a region such as us-east-1')
    .default('us-east-1'),
  endpoint_url: endpoint.optional(),
});
const elsewhere = s3.extend({ endpoint_url: endpoint });
const azure = z.union([
  z.object({ storage_endpoint: endpoint, credential: text }),
  z.object({ storage_endpoint: endpoint, sas_token: text }),
]);
/** A service account's key as Google gives it, in base64. */
const gcp = z.object({
  key_data: text.refine(isServiceAccount, 'expected the JSON of a service account’s key, in base64'),
});

function isServiceAccount(given: string): boolean {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(given, 'base64').toString('utf8'));
    return z.object({ type: z.literal('service_account'), private_key: z.string() }).safeParse(parsed).success;
  } catch {
    return false;
  }
}

const of = { name: nameOf('bucket'), ...ofProject, provider_bucket_name: z.string().min(1).max(255) };

/** What the client sends for each kind of provider. */
export const importRequest = z.discriminatedUnion('provider', [
  z.object({ provider: z.literal('aws'), ...of, credentials: s3 }),
  z.object({ provider: z.literal('minio'), ...of, credentials: elsewhere }),
  z.object({ provider: z.literal('seaweedfs'), ...of, credentials: elsewhere }),
  z.object({ provider: z.literal('open_stack'), ...of, credentials: elsewhere }),
  z.object({ provider: z.literal('azure'), ...of, credentials: azure }),
  z.object({ provider: z.literal('gcp'), ...of, credentials: gcp }),
]);
export type ImportRequest = z.infer<typeof importRequest>;

/** What is kept of it. */
export const importedCredentials = z.union([s3, azure, gcp]);
