import { createHmac, timingSafeEqual } from 'node:crypto';

/** A request is taken this long before and after its time. Seconds. */
export const TOLERANCE_SECONDS = 300;

export interface SignedCall {
  /** `webhook-id` */
  readonly id: string | undefined;
  /** `webhook-timestamp`: seconds since 1970. */
  readonly timestamp: string | undefined;
  /** `webhook-signature`: `v1,BASE64`, several with blanks between. */
  readonly signature: string | undefined;
  readonly body: string;
}

/**
 * Whether a request was signed with the secret, and lately. Source: Standard Webhooks 1.0, symmetric signatures
 * (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md).
 * @param now milliseconds since 1970
 */
export function isSigned(secret: Buffer, call: SignedCall, now: number): boolean {
  const { id = '', timestamp = '', signature = '', body } = call;
  if (!/^[\x21-\x2d\x2f-\x7e]{1,128}$/.test(id) || !/^\d{1,12}$/.test(timestamp)) return false;
  if (Math.abs(now / 1000 - Number(timestamp)) > TOLERANCE_SECONDS) return false;
  const expected = signatureOf(secret, { id, timestamp, body });
  return signature
    .split(' ')
    .slice(0, 16)
    .map((each) => /^v1,([A-Za-z0-9+/]+={0,2})$/.exec(each)?.[1])
    .some((given) => given !== undefined && isSame(Buffer.from(given, 'base64'), expected));
}

/** What a request must be signed by. */
export const signatureOf = (
  secret: Buffer,
  { id, timestamp, body }: { readonly id: string; readonly timestamp: string; readonly body: string },
): Buffer => createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest();

const isSame = (one: Buffer, other: Buffer): boolean => one.length === other.length && timingSafeEqual(one, other);
