// The platform without Pulumi: `node manifests.ts IMAGE | kubectl apply -f -`. Values of Secrets are made once, with openssl,
// and kept in the folder `secrets`, which you alone can read. Where you have a vault, ask it in `valueFor`.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { type WantedSecret, withSecrets } from '@delos/constructs';
import { yamlText } from '@delos/core';
import { customPlatform } from './platform.ts';

const [image] = process.argv.slice(2);
if (image === undefined) throw new Error('expected: node manifests.ts IMAGE');
process.umask(0o077);
const manifests = withSecrets(await customPlatform(image), valueFor);
console.log(manifests.map((manifest) => yamlText(manifest)).join('---\n'));

function valueFor({ address, source }: WantedSecret): string {
  switch (source.kind) {
    case 'password':
      return password(join('secrets', address), source.length ?? 32);
    case 'ca-certificate':
      return ca().certificate;
    case 'ca-key':
      return ca().key;
    case 'certificate':
      return leaf(source).certificate;
    case 'certificate-key':
      return leaf(source).key;
    case 'signing-key':
      return signingKey(join('secrets', address));
    case 'authorities': {
      const files = source.files.map((file) => readFileSync(file, 'utf8'));
      return [...files, ...(source.own ? [ca().certificate] : []), ...rootCertificates].join('\n');
    }
    case 'file':
      return readFileSync(source.path, 'utf8').replace(/\n$/, '');
  }
}

function password(file: string, length: number): string {
  mkdirSync(dirname(file), { recursive: true });
  if (!existsSync(file)) writeFileSync(file, randomBytes(length).toString('base64url').slice(0, length));
  return readFileSync(file, 'utf8');
}

function signingKey(file: string): string {
  mkdirSync(dirname(file), { recursive: true });
  const kind = ['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'];
  if (!existsSync(file)) execFileSync('openssl', [...kind, '-out', file]);
  return readFileSync(file, 'utf8');
}

function ca(): { readonly certificate: string; readonly key: string } {
  return pair('ca', ['-days', '3650']);
}

function leaf(source: Extract<WantedSecret['source'], { readonly leaf: string }>): ReturnType<typeof ca> {
  ca();
  const names = [...source.dnsNames.map((name) => `DNS:${name}`), ...source.ipAddresses.map((ip) => `IP:${ip}`)];
  const signed = ['-CA', 'secrets/ca.crt', '-CAkey', 'secrets/ca.key', '-addext', 'basicConstraints=critical,CA:FALSE'];
  return pair(source.leaf, [...signed, '-addext', `subjectAltName=${names.join(',')}`, '-days', '365']);
}

function pair(name: string, options: readonly string[]): ReturnType<typeof ca> {
  const [certificate, key] = [join('secrets', `${name}.crt`), join('secrets', `${name}.key`)];
  if (!existsSync(certificate)) {
    mkdirSync('secrets', { recursive: true });
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', `/CN=${name}`];
    const request = ['req', '-x509', ...kind, '-keyout', key, '-out', certificate, ...options];
    execFileSync('openssl', request, { stdio: ['ignore', 'ignore', 'inherit'] });
  }
  return { certificate: readFileSync(certificate, 'utf8'), key: readFileSync(key, 'utf8') };
}
