import { parseConfig } from '@delos/constructs';
import { entranceNames, entranceRecords, recordLines, zoneText } from '@delos/core';
import { describe, expect, test } from 'vitest';
import { signMessage, tsigFault } from '../../../core/src/dns/tsig.ts';
import { encodeUpdate } from '../../../core/src/dns/update.ts';
import { decodeMessage, encodeAddress, encodeName, encodeRecord, u16 } from '../../../core/src/dns/wire.ts';
import { expectRefused } from '../../support/config-problems.ts';

const UPDATE = (zone: string) =>
  `update: {server: ns.example.com, zone: ${zone}, key: {name: delos, secret: {file: /run/key}}}`;

describe('names that could not be served are refused at their place in the file', () => {
  test.each([
    ['no address', 'dns: {addresses: [▸"ai.example.com"]}', 'dns.addresses[0]', /expected an IP address/],
    [
      'records of a platform without a name',
      'dns: {externalDns: ▸true}',
      'dns.externalDns',
      /`localhost` has no records/,
    ],
    [
      'a zone without addresses',
      'domain: a.example.com\nservices: {dns: {enabled: ▸true}}',
      'services.dns.enabled',
      /set `dns.addresses`/,
    ],
    [
      'a name server without a domain',
      'domain: a.example.com\ndns: {nameServers: [▸ns1]}',
      'dns.nameServers[0]',
      /expected a whole name/,
    ],
  ])('%s', (_, text, field, words) => {
    expectRefused(text, field, words);
  });

  test('a zone that the domain is not in', () => {
    const text = `domain: ai.example.com\ndns: {${UPDATE('▸example.org')}}`;
    expectRefused(text, 'dns.update.zone', /`ai.example.com` is not in the zone `example.org`/);
    expect(() => parseConfig(`domain: ai.example.com\ndns: {${UPDATE('example.com')}}`, 'delos.yaml')).not.toThrow();
    expect(() => parseConfig(`domain: myexample.com\ndns: {${UPDATE('example.com')}}`, 'delos.yaml')).toThrow();
  });
});

test('only a name has records: loopback and addresses lead to the platform by themselves', () => {
  expect(['localhost', 'a.localhost', '192.0.2.7', '2001:db8::1'].flatMap(entranceNames)).toEqual([]);
  expect(entranceNames('ai.example.com')).toEqual([
    'ai.example.com',
    '*.ai.example.com',
    '*.jobs.ai.example.com',
    '*.apps.ai.example.com',
  ]);
});

test('records are lines of a zone file', () => {
  const records = entranceRecords('a.example.com', { ttlSeconds: 60 }, ['192.0.2.1', '2001:db8::1']);
  expect(recordLines(records).split('\n').slice(0, 3)).toEqual([
    'a.example.com. 60 IN A 192.0.2.1',
    'a.example.com. 60 IN AAAA 2001:db8::1',
    '*.a.example.com. 60 IN A 192.0.2.1',
  ]);
});

test('a zone names its server, whom to write to, and itself as the server’s address', () => {
  const { dns } = parseConfig('domain: a.example.com\ndns: {contact: dns.team@example.com}', 'delos.yaml');
  const lines = zoneText('a.example.com', dns, ['192.0.2.1']).split('\n');
  expect(lines[0]).toBe('a.example.com. 300 IN SOA ns1.a.example.com. dns\\.team.example.com. 1 86400 7200 3600000 60');
  expect(lines).toEqual(
    expect.arrayContaining(['a.example.com. 300 IN NS ns1.a.example.com.', 'ns1.a.example.com. 300 IN A 192.0.2.1']),
  );
});

describe('messages of DNS', () => {
  test.each([
    ['192.0.2.1', 'c0000201'],
    ['2001:db8::10', '20010db8000000000000000000000010'],
    ['::1', '00000000000000000000000000000001'],
    ['2001:db8:1:2:3:4:5:6', '20010db8000100020003000400050006'],
  ])('have the address %s as it is', (address, hex) => {
    expect(encodeAddress(address).toString('hex')).toBe(hex);
  });

  test('have names in small letters, and no name that cannot be sent', () => {
    expect(encodeName('A.b.').toString('latin1')).toBe('\x01a\x01b\x00');
    expect(() => encodeName('a..b')).toThrow('no name of DNS');
    expect(() => encodeName(`${'a'.repeat(64)}.b`)).toThrow('no name of DNS');
    expect(() => encodeName('abcdefg.'.repeat(33))).toThrow('longer than DNS allows');
  });

  test('that are cut short or wind in a circle are refused', () => {
    expect(() => decodeMessage(Buffer.alloc(5))).toThrow('cut short');
    const circle = Buffer.concat([u16(1, 0x8000, 1, 0, 0, 0), Buffer.of(0xc0, 12), u16(1, 1)]);
    expect(() => decodeMessage(circle)).toThrow('has no end');
    expect(() =>
      decodeMessage(
        Buffer.concat([u16(1, 0x8000, 0, 1, 0, 0), encodeRecord('a', 1, 1, 0, Buffer.alloc(4)).subarray(0, 8)]),
      ),
    ).toThrow('cut short');
  });
});

describe('a signature', () => {
  const key = { name: 'delos', algorithm: 'hmac-sha256' as const, secret: Buffer.alloc(32, 7).toString('base64') };
  const now = new Date('2026-11-30T12:00:00Z');
  const message = encodeUpdate('example.com', [{ kind: 'add-text', name: 'a.example.com', text: 'x' }], 7);
  /** As if the request had been answered by itself. */
  const answered = (changes: Partial<typeof key> = {}) => {
    const { mac } = signMessage(message, key, now);
    return { answer: signMessage(message, { ...key, ...changes }, now).signed, mac };
  };

  test('is behind the message, which is otherwise as it was', () => {
    const { signed, mac } = signMessage(message, key, now);
    expect(signed.readUInt16BE(10)).toBe(1);
    expect(mac).toHaveLength(32);
    expect(signed.subarray(12, message.length)).toEqual(message.subarray(12));
  });

  test('of an answer is good only over the request that it answers', () => {
    // Signed as a request, it lacks the signature that it answers.
    const { answer, mac } = answered();
    expect(tsigFault(answer, key, mac, now)).toBe('its answer is signed by another key');
    expect(tsigFault(message, key, mac, now)).toBe('its answer is not signed');
  });
});
