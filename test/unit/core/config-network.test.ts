import { parseConfig } from '@delos/constructs';
import { jobsTrustMore, noProxy, proxyUrls, trustsMore } from '@delos/core';
import { describe, expect, test } from 'vitest';
import { expectRefused } from '../../support/config-problems.ts';

describe('a way out that could not be used is refused at its place in the file', () => {
  test.each([
    ['no proxy at all', 'proxy: ▸{no: [a.example.com]}', 'proxy', /expected `http`, `https` or both/],
    ['a proxy of another kind', 'proxy: {http: ▸"socks5://p:1080"}', 'proxy.http', /begins with socks5:/],
    ['a login in its URL', 'proxy: {http: ▸"http://u:p@p.example.com"}', 'proxy.http', /which a Secret has to hold/],
    ['a path', 'proxy: {http: ▸"http://p.example.com/x"}', 'proxy.http', /leave out the path/],
    [
      'a proxy on loopback',
      'proxy: {http: ▸"http://127.0.0.1:3128"}',
      'proxy.http',
      /Pods have a loopback of their own/,
    ],
    [
      'an exception that is none',
      'proxy: {http: "http://p:1", no: [▸"a b"]}',
      'proxy.no[0]',
      /expected a host such as/,
    ],
    [
      'a login that nodes cannot read',
      'proxy: {http: "http://p:1", credentials: ▸{secret: {name: a, key: b}}}',
      'proxy.credentials',
      /expected \{file: \/PATH\}/,
    ],
    ['a proxy for jobs alone', 'jobs: {proxy: ▸true}', 'jobs.proxy', /there is no `network.proxy`/],
    ['authorities of a relative path', 'authorities: [▸"site.pem"]', 'authorities[0]', /expected an absolute path/],
  ])('%s', (_, section, field, words) => {
    expectRefused(`network: {${section}}`, `network.${field}`, words);
  });
});

const networkOf = (yaml: string) => parseConfig(`network: {${yaml}}`, 'delos.yaml').network;

test('one proxy is for both schemes, unless another is named', () => {
  expect(proxyUrls({ http: 'http://a:1/', https: undefined })).toEqual({ http: 'http://a:1', https: 'http://a:1' });
  expect(proxyUrls({ http: undefined, https: 'http://b:2' })).toEqual({ http: 'http://b:2', https: 'http://b:2' });
  expect(proxyUrls({ http: 'http://a:1', https: 'http://b:2' })).toEqual({ http: 'http://a:1', https: 'http://b:2' });
});

test('what no proxy is asked for has each name once', () => {
  const network = networkOf('proxy: {http: "http://p:1", no: [.example.org, localhost]}');
  expect(noProxy({ network, domain: 'localhost' }, ['10.1.0.0/16'])).toBe(
    'localhost,127.0.0.0/8,::1,.svc,.cluster.local,10.1.0.0/16,.example.org',
  );
  expect(noProxy({ network, domain: '192.0.2.7' }, [])).toContain(',192.0.2.7,.example.org');
});

test('Pods trust more where there is more to trust, jobs unless that is denied', () => {
  const said = (yaml: string) => [trustsMore(networkOf(yaml)), jobsTrustMore(networkOf(yaml))];
  expect(said('')).toEqual([false, false]);
  expect(said('authorities: [/a.pem]')).toEqual([true, true]);
  expect(said('authorities: [/a.pem], jobs: {authorities: false}')).toEqual([true, false]);
  expect(said('jobs: {authorities: true}')).toEqual([true, true]);
});
