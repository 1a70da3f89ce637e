import { createPrivateKey, createPublicKey, sign } from 'node:crypto';

/* As much of DER (ITU-T X.690) as a request for a certificate takes. */

function tlv(tag: number, ...content: readonly Buffer[]): Buffer {
  const body = Buffer.concat(content);
  const { length } = body;
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), body]);
  const bytes = Buffer.from(length.toString(16).padStart(length > 0xff ? 4 : 2, '0'), 'hex');
  return Buffer.concat([Buffer.of(tag, 0x80 | bytes.length), bytes, body]);
}
const sequence = (...parts: readonly Buffer[]): Buffer => tlv(0x30, ...parts);
const set = (...parts: readonly Buffer[]): Buffer => tlv(0x31, ...parts);
const oid = (hex: string): Buffer => tlv(0x06, Buffer.from(hex, 'hex'));

/** 2.5.29.17, subjectAltName; 1.2.840.113549.1.9.14, extensionRequest; 1.2.840.10045.4.3.2, ecdsa-with-SHA256. */
const OIDS = { subjectAltName: '551d11', extensionRequest: '2a864886f70d01090e', ecdsaWithSha256: '2a8648ce3d040302' };

/**
 * A request for a certificate (RFC 2986) with these names and an empty subject (RFC 8555, 7.4).
 * @param key of P-256, PEM
 * @param dnsNames as they shall stand in the certificate
 * @returns DER
 */
export function certificateRequest(key: string, dnsNames: readonly string[]): Buffer {
  const privateKey = createPrivateKey(key);
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  const names = sequence(...dnsNames.map((name) => tlv(0x82, Buffer.from(name, 'latin1'))));
  const extension = sequence(oid(OIDS.subjectAltName), tlv(0x04, names));
  const attribute = sequence(oid(OIDS.extensionRequest), set(sequence(extension)));
  const info = sequence(tlv(0x02, Buffer.of(0)), sequence(), publicKey, tlv(0xa0, attribute));
  const signature = sign('sha256', info, privateKey);
  return sequence(info, sequence(oid(OIDS.ecdsaWithSha256)), tlv(0x03, Buffer.of(0), signature));
}
