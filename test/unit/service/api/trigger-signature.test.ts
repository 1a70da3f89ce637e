import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isSigned, signatureOf, TOLERANCE_SECONDS } from '../../../../runtime/service/src/api/schedules/signature.ts';

const secret = Buffer.from('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64');
const known = { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', timestamp: '1614265330', body: '{"test": 2432232314}' };
const signature = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=';
const now = 1_614_265_330_000;

test('the example of Standard Webhooks is taken, also beside other signatures', () => {
  expect(`v1,${signatureOf(secret, known).toString('base64')}`).toBe(signature);
  expect(isSigned(secret, { ...known, signature }, now)).toBe(true);
  expect(isSigned(secret, { ...known, signature: `v1a,xyz v1,AAAA ${signature}` }, now)).toBe(true);
});

test('one that is early or late, or of which anything is another, is not', () => {
  const edge = TOLERANCE_SECONDS * 1000;
  expect(
    [now - edge - 1, now - edge, now + edge, now + edge + 1].map((at) => isSigned(secret, { ...known, signature }, at)),
  ).toEqual([false, true, true, false]);
  for (const other of [
    { body: '{}' },
    { id: 'msg_x' },
    { timestamp: '1614265331' },
    { signature: undefined },
    { id: undefined },
  ]) {
    expect(isSigned(secret, { ...known, signature, ...other }, now)).toBe(false);
  }
  expect(isSigned(Buffer.from('other'), { ...known, signature }, now)).toBe(false);
  // The id and the time are no part of the body, and the body none of them.
  const shifted = { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330', timestamp: '1614265330', body: known.body };
  expect(
    isSigned(secret, { ...shifted, signature: `v1,${signatureOf(secret, shifted).toString('base64')}` }, now),
  ).toBe(false);
});

test('nothing that is sent breaks it', () => {
  const any = fc.option(fc.string({ unit: 'binary' }), { nil: undefined });
  fc.assert(
    fc.property(any, any, any, fc.string(), (id, timestamp, given, body) => {
      expect(isSigned(secret, { id, timestamp, signature: given, body }, now)).toBe(false);
    }),
  );
});
