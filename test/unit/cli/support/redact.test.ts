import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { withoutPrivate } from '../../../../cli/src/commands/support/objects.ts';
import { LEAST_SECRET, REDACTED, Redactor } from '../../../../cli/src/commands/support/redact.ts';

const secret = fc.string({ unit: 'grapheme', minLength: LEAST_SECRET, maxLength: 40 }).filter((text) => {
  // A secret that the mark holds, or that is all blanks, cannot be told from text.
  return text.trim().length >= LEAST_SECRET && !REDACTED.includes(text);
});
const around = fc.string({ unit: 'grapheme-ascii', maxLength: 30 });

describe('a secret that is known', () => {
  test('is in no text that comes out, however it is written there', () => {
    const ways: readonly ((value: string, before: string) => string)[] = [
      (value) => value,
      (value) => JSON.stringify({ password: value }),
      (value) => JSON.stringify(JSON.stringify([value])),
      (value) => encodeURIComponent(value),
      (value) => new URLSearchParams({ q: value }).toString(),
      (value, before) => Buffer.from(before + value + before).toString('base64'),
      (value, before) => Buffer.from(before + value).toString('base64url'),
    ];
    fc.assert(
      fc.property(secret, around, fc.constantFrom(...ways), (value, other, way) => {
        const plain = `${other} ${way(value, other)} ${other}`;
        const text = new Redactor([value]).redact(plain);
        expect(text).not.toContain(value);
        expect(text).toContain(REDACTED);
        // What is left of it in base64 cannot be turned back into it.
        for (const word of text.split(/[^\w+/-]+/)) {
          expect(Buffer.from(word, 'base64').toString()).not.toContain(value);
        }
      }),
    );
  });

  test('does not come back when the text is redacted again, and changes it no further', () => {
    fc.assert(
      fc.property(fc.array(secret, { maxLength: 5 }), around, (values, other) => {
        const redactor = new Redactor(values);
        const once = redactor.redact([other, ...values, other].join('\n'));
        expect(redactor.redact(once)).toBe(once);
      }),
    );
  });

  test('of several lines goes line by line', () => {
    const key = [
      '-----BEGIN X-----',
      'MIIEvQIBADANBgkqhkiG9w0BAQEFAASC',
      'BKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj',
      '-----END X-----',
    ];
    const text = new Redactor([key.join('\n')]).redact(`log: ${key[1]}\nlog: ${key[2]}`);
    expect(text).toBe(`log: ${REDACTED}\nlog: ${REDACTED}`);
  });
});

describe('what looks like a secret', () => {
  test.each([
    ['Authorization: Bearer abc.def-123', `Authorization: Bearer ${REDACTED}`],
    ['proxy-authorization: basic dXNlcjpwYXNz', `proxy-authorization: basic ${REDACTED}`],
    ['token eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln', `token ${REDACTED}`],
    ['postgres://api:hunter2@postgres:5432/api', `postgres://api:${REDACTED}@postgres:5432/api`],
    ['GET /cb?state=1&code=abcd1234&x=2', `GET /cb?state=1&code=${REDACTED}&x=2`],
    ['{"client_secret": "abcdefgh", "user": "ann"}', `{"client_secret": "${REDACTED}", "user": "ann"}`],
    ['DB_PASSWORD=correct-horse next', `DB_PASSWORD=${REDACTED} next`],
    ['aws_access_key_id: AKIAIOSFODNN7', `aws_access_key_id: ${REDACTED}`],
    ['-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\nafter', `${REDACTED}\nafter`],
    ['-----BEGIN EC PRIVATE KEY-----\nthe log ends here', REDACTED],
  ])('%s', (text, expected) => {
    expect(new Redactor([]).redact(text)).toBe(expected);
  });

  test.each([
    'https://platform.example.com/api/v1/jobs?status=running',
    'Pod api-7d4 is ready; image registry.example.com:5000/delos/runtime:1a2b',
    '2026-11-30T01:02:03Z scheduler: 12 jobs wait, 3 for GPUs',
    '{"kind": "Secret", "metadata": {"name": "postgres"}, "type": "Opaque"}',
  ])('is not in: %s', (text) => {
    expect(new Redactor([]).redact(text)).toBe(text);
  });
});

describe('an object of Kubernetes', () => {
  test('loses values of a Secret, of environment variables, and copies of itself; keys, sizes and the rest stay', () => {
    const copy = { 'kubectl.kubernetes.io/last-applied-configuration': '{"data":{"a":"c2VjcmV0"}}', kept: 'yes' };
    expect(
      withoutPrivate({
        kind: 'Secret',
        metadata: { name: 's', annotations: copy, managedFields: [{ manager: 'x' }] },
        data: { password: Buffer.from('123456789').toString('base64') },
      }),
    ).toMatchObject({
      kind: 'Secret',
      metadata: { name: 's', annotations: { kept: 'yes' } },
      data: { password: '9 bytes' },
    });
    const env = [
      { name: 'A', value: 'private' },
      { name: 'B', valueFrom: { fieldRef: { fieldPath: 'x' } } },
    ];
    const pod = withoutPrivate({ kind: 'Pod', spec: { containers: [{ name: 'main', image: 'i', env }] } });
    expect(pod).toEqual({
      kind: 'Pod',
      spec: { containers: [{ name: 'main', image: 'i', env: [{ name: 'A', value: REDACTED }, env[1]] }] },
    });
    expect(
      JSON.stringify(withoutPrivate({ kind: 'Secret', metadata: { annotations: copy }, data: { a: 'c2VjcmV0' } })),
    ).not.toContain('c2VjcmV0');
  });
});
