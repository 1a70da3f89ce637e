/** An IPv4 prefix, its address masked. `base` is the address as an unsigned 32-bit number. */
export interface Prefix {
  readonly base: number;
  readonly bits: number;
}

const OCTETS = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/;

/** Undefined for what is not an IPv4 address, IPv6 included: an IPv4 node has no traffic of it to judge. */
export function tryAddress(text: string): number | undefined {
  const match = OCTETS.exec(text);
  if (match === null) return undefined;
  let value = 0;
  for (const octet of match.slice(1).map(Number)) {
    if (octet > 255) return undefined;
    value = value * 256 + octet;
  }
  return value;
}

export function tryPrefix(text: string): Prefix | undefined {
  const [host = '', length, ...rest] = text.split('/');
  const address = tryAddress(host);
  const bits = Number(length);
  if (address === undefined || rest.length > 0 || length === undefined || !/^\d{1,2}$/.test(length) || bits > 32) {
    return undefined;
  }
  return { base: mask(address, bits), bits };
}

export function contains(prefix: Prefix, address: number): boolean {
  return mask(address, prefix.bits) === prefix.base;
}

/** As nft prints it: a bare address where the prefix is one host. */
export function prefixText({ base, bits }: Prefix): string {
  const octets = [24, 16, 8, 0].map((shift) => (base >>> shift) & 255).join('.');
  return bits === 32 ? octets : `${octets}/${bits}`;
}

function mask(address: number, bits: number): number {
  return bits === 0 ? 0 : (address & (-1 << (32 - bits))) >>> 0;
}
