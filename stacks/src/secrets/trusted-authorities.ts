import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import { DelosError } from '@delos/core';

/** What a ConfigMap can hold together. */
const MOST_BYTES = 2 ** 20;
const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * All certificates in PEM, one after the other, each once: those of the files, the platform's own, and the public ones
 * (Mozilla's list, as Node has it). Of a file nothing but its certificates is taken.
 * @param own the platform's own, PEM; empty: none
 * @throws DelosError ERR_DEPLOY for a file that cannot be read or has no certificate, and for more than a ConfigMap holds
 */
export function trustedAuthorities(files: readonly string[], own: string): string {
  const given = files.flatMap(certificatesIn);
  const all = [...given, ...(own.match(PEM) ?? []), ...rootCertificates.map((one) => one.trim())];
  const text = `${[...new Set(all)].join('\n')}\n`;
  if (text.length <= MOST_BYTES) return text;
  throw new DelosError(
    'ERR_DEPLOY',
    `all authorities together have ${text.length} bytes, and a ConfigMap holds ${MOST_BYTES}`,
    {
      where: { field: 'network.authorities' },
      hint: 'name only authorities of the site there: the public ones are trusted anyway',
    },
  );
}

function certificatesIn(file: string): readonly string[] {
  const refuse = (what: string, cause?: unknown): never => {
    throw new DelosError('ERR_DEPLOY', `the file of authorities ${file} ${what}`, {
      where: { file, field: 'network.authorities' },
      hint: 'expected certificates in PEM: -----BEGIN CERTIFICATE-----, one after the other',
      ...(cause === undefined ? {} : { cause }),
    });
  };
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    return refuse(
      `cannot be read (${cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)})`,
      cause,
    );
  }
  const found = text.replaceAll('\r', '').match(PEM) ?? [];
  if (found.length === 0) return refuse('holds no certificate');
  for (const one of found) {
    try {
      new X509Certificate(one);
    } catch (cause) {
      return refuse('holds a certificate that cannot be read', cause);
    }
  }
  return found;
}
