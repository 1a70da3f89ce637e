import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { resolveTool } from '@delos/cluster';
import { engineContext, objectOf, parseConfig, synthesize } from '@delos/constructs';
import { silent } from '@delos/core';
import { freePort } from '@delos/host';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { corefile as clusterCorefile } from '../../../cluster/src/embedded/addons/coredns.ts';
import { addressesOf, ask } from '../../support/dns/ask.ts';
import { until } from '../../support/until.ts';

/* The zone of the platform's names as a real CoreDNS serves it, with the files of the manifests; what differs is ports. */

const DOMAIN = 'ai.example.com';
const SOA = 6;
const ADDRESSES = ['203.0.113.10', '203.0.113.11'];
const children: ChildProcess[] = [];
let folder: string;
let outside: number;
let inside: number;
let cluster: number;

async function start(file: string): Promise<void> {
  const { path } = await resolveTool('coredns', silent);
  const child = spawn(path, ['-conf', file], { stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  let log = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece) => (log += String(piece)));
  await until('CoreDNS serves', 30, (last) => {
    last(log);
    if (child.exitCode !== null) throw new Error(`CoreDNS ended: ${log}`);
    return log.includes('CoreDNS-') || undefined;
  });
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'delos-names-'));
  const text = `
domain: ${DOMAIN}
dns: {addresses: [${ADDRESSES.join(', ')}, '2001:db8::10'], nameServers: [ns1.${DOMAIN}, ns.example.net], contact: dns.team@example.com}
services: {dns: {enabled: true}}
`;
  const config = parseConfig(text, 'delos.yaml');
  const { manifest } = objectOf(synthesize(config, engineContext(config, 'existing')), 'ConfigMap', 'dns');
  const { Corefile = '', zone = '' } = z.record(z.string(), z.string()).parse(manifest.data);
  [outside, inside, cluster] = [await freePort(), await freePort(), await freePort()];
  const [health, ready, metrics] = [await freePort(), await freePort(), await freePort()];
  const placed = Corefile.replaceAll('/etc/dns/', `${folder}/`)
    .replaceAll(':1053', `:${outside}`)
    .replaceAll(':1054', `:${inside}`)
    .replaceAll('/etc/resolv.conf', `127.0.0.1:${cluster}`)
    .replace(':8180', `127.0.0.1:${health}`)
    .replace(':8181', `127.0.0.1:${ready}`)
    .replaceAll(':9153', `127.0.0.1:${metrics}`)
    .replaceAll('errors', 'errors\n    bind 127.0.0.1');
  await writeFile(join(folder, 'zone'), zone);
  await writeFile(join(folder, 'Corefile'), placed);
  // The cluster's own DNS, as far as it concerns names: it knows the gateway's Service.
  const own = clusterCorefile({
    forward: false,
    publicName: { name: DOMAIN, service: 'gateway.delos.svc.cluster.local' },
  });
  const [, rewrite = ''] = /^( {4}rewrite .*)$/m.exec(own) ?? [];
  await writeFile(
    join(folder, 'cluster'),
    `.:${cluster} {\n    bind 127.0.0.1\n${rewrite}\n    hosts {\n        10.203.0.7 gateway.delos.svc.cluster.local\n    }\n}\n`,
  );
  await start(join(folder, 'cluster'));
  await start(join(folder, 'Corefile'));
});
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

const NAMES = [DOMAIN, `a.${DOMAIN}`, `job-1.jobs.${DOMAIN}`, `x.apps.${DOMAIN}`, `ns1.${DOMAIN}`];

describe('outside', () => {
  test.each(['udp', 'tcp'] as const)('each name leads to the entrance, by %s', async (by) => {
    for (const name of NAMES) {
      const answer = await ask({ port: outside }, name, 1, by);
      expect([name, answer.rcode, [...addressesOf(answer)].filter((one) => one.includes('.')).sort()]).toEqual([
        name,
        0,
        ADDRESSES,
      ]);
      expect(answer.flags).toMatchObject({ authoritative: true, truncated: false });
    }
    expect(addressesOf(await ask({ port: outside }, `b.jobs.${DOMAIN}`, 28, by))).toContain('2001:db8:0:0:0:0:0:10');
  });

  test('a name is the same in capitals', async () => {
    expect([...addressesOf(await ask({ port: outside }, `JOB-1.Jobs.${DOMAIN}`, 1))]).toEqual(
      expect.arrayContaining(ADDRESSES),
    );
  });

  test('the zone says who serves it and whom to write to (RFC 1035)', async () => {
    const soa = (await ask({ port: outside }, DOMAIN, SOA)).records.find(({ type }) => type === SOA);
    // Names of server and contact, then five numbers; the last is for how long a missing name is remembered (RFC 2308).
    expect(soa?.data.readUInt32BE(soa.data.length - 4)).toBe(60);
    const servers = (await ask({ port: outside }, DOMAIN, 2)).records.filter(({ type }) => type === 2);
    expect(servers).toHaveLength(2);
  });

  test('what has no record of a kind is answered with the zone’s SOA alone (RFC 2308)', async () => {
    for (const name of [DOMAIN, `jobs.${DOMAIN}`, `x.jobs.${DOMAIN}`]) {
      const { rcode, counts, records } = await ask({ port: outside }, name, 15);
      expect([name, rcode, counts[0]]).toEqual([name, 0, 0]);
      expect(records.map(({ type }) => type)).toContain(SOA);
    }
  });

  test('it answers for nobody else, asks nobody, and hands out no zone', async () => {
    for (const name of ['example.com', 'www.example.org', 'kubernetes.default.svc.cluster.local']) {
      const { rcode, counts, flags } = await ask({ port: outside }, name, 1);
      expect([name, rcode, counts, flags.recursion]).toEqual([name, 5, [0, 0, 0], false]);
    }
    // AXFR
    const transfer = await ask({ port: outside }, DOMAIN, 252, 'tcp');
    expect(transfer.counts[0]).toBeLessThanOrEqual(1);
    expect(transfer.rcode === 0 ? transfer.records.some(({ type }) => type === 1) : false).toBe(false);
  });

  test('no answer is much larger than its question, that for ANY neither', async () => {
    for (const [name, type] of [
      [DOMAIN, 255],
      [`a.jobs.${DOMAIN}`, 255],
      [DOMAIN, 1],
      [DOMAIN, 16],
      [DOMAIN, 2],
    ] as const) {
      const [asked, answered] = (await ask({ port: outside }, name, type)).sizes;
      expect(answered).toBeLessThanOrEqual(512);
      expect([name, type, answered / asked < 10]).toEqual([name, type, true]);
    }
  });
});

describe('in the cluster', () => {
  test('each name of the entrance is the gateway’s Service, under the name that was asked for', async () => {
    for (const name of NAMES.slice(0, 4)) {
      for (const port of [inside, cluster]) {
        const answer = await ask({ port }, name, 1);
        expect([name, addressesOf(answer)]).toEqual([name, ['10.203.0.7']]);
        expect(answer.records[0]?.name).toBe(name);
      }
    }
  });

  test('a name two labels below the domain is none of the platform’s', async () => {
    expect(addressesOf(await ask({ port: cluster }, `a.b.${DOMAIN}`, 1))).toEqual([]);
    expect(addressesOf(await ask({ port: cluster }, `notai.example.com`, 1))).toEqual([]);
  });
});
