import { X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { addressesOf } from '../../../../cluster/src/embedded/host/addresses.ts';
import { certificatesOf } from '../../../../cluster/src/embedded/node/certificates.ts';
import { ensurePki } from '../../../../cluster/src/embedded/node/pki.ts';
import { temporaryFolder } from '../../../support/setup/temporary-folder.ts';

let folder: string;
const requests = certificatesOf(addressesOf(7));
const read = (name: string) => new X509Certificate(readFileSync(join(folder, `${name}.crt`)));
const snapshot = () =>
  Object.fromEntries(readdirSync(folder).map((file) => [file, readFileSync(join(folder, file), 'utf8')]));

beforeAll(async () => {
  folder = temporaryFolder('pki');
  expect(await ensurePki(folder, requests)).toHaveLength(requests.length);
});

describe('the certificates of a cluster', () => {
  test.each(requests.map((request) => [request.name, request] as const))(
    '%s is signed by its own authority and by no other',
    (name, request) => {
      const certificate = read(name);
      for (const authority of ['ca', 'front-proxy-ca', 'etcd-ca']) {
        expect(certificate.verify(read(authority).publicKey)).toBe(authority === request.authority);
      }
      expect(certificate.ca).toBe(false);
      expect(certificate.subject.split('\n')).toContain(`CN=${request.commonName}`);
      for (const ip of request.ips ?? []) expect(certificate.checkIP(ip)).toBe(ip);
      for (const dns of request.dns ?? []) expect(certificate.checkHost(dns)).toBe(dns);
    },
  );

  test('a client certificate cannot serve, and a serving one cannot be a client', () => {
    const usage = (name: string) => read(name).keyUsage;
    expect(usage('admin')).toEqual(['1.3.6.1.5.5.7.3.2']);
    expect(usage('apiserver')).toEqual(['1.3.6.1.5.5.7.3.1']);
  });

  test('keys are readable by their owner alone', () => {
    for (const file of readdirSync(folder).filter((name) => name.endsWith('.key'))) {
      expect(statSync(join(folder, file)).mode & 0o777).toBe(0o600);
    }
  });

  test('what is there stays byte for byte', async () => {
    const before = snapshot();
    expect(await ensurePki(folder, requests)).toEqual([]);
    expect(snapshot()).toEqual(before);
  });

  test('a certificate whose names changed, or whose key was lost, is made anew, and no other', async () => {
    const changed = requests.map((request) =>
      request.name === 'kubelet-server' ? { ...request, ips: ['192.0.2.7'] } : request,
    );
    rmSync(join(folder, 'scheduler.key'));
    const before = snapshot();
    expect([...(await ensurePki(folder, changed))].sort()).toEqual(['kubelet-server', 'scheduler']);
    const after = snapshot();
    const differing = Object.keys(after).filter((file) => after[file] !== before[file]);
    expect(differing.every((file) => /^(kubelet-server|scheduler)\./.test(file))).toBe(true);
    expect(read('kubelet-server').checkIP('192.0.2.7')).toBe('192.0.2.7');
  });
});
