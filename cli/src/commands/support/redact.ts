/** What stands in the place of a secret. */
export const REDACTED = '[redacted]';
/** A shorter value is too likely to be an ordinary word, such as a name of a key. */
export const LEAST_SECRET = 6;

/**
 * Text that looks like a secret. The first group of each pattern stays: it says what was there.
 * JSON Web Tokens: RFC 7519. Private keys: RFC 7468. User information in URLs: RFC 3986 (3.2.1). Credentials: RFC 9110 (11.4).
 */
const PATTERNS: readonly RegExp[] = [
  /()-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g,
  /()\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*/g,
  /(\b(?:Bearer|Basic)\s+)[\w.~+/=-]{6,}/gi,
  /(\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@"'\\]*:)[^\s/@"'\\]+(?=@)/gi,
  /([?&](?:code|token|access_token|id_token|refresh_token|client_secret|password|signature|X-Amz-Signature|X-Amz-Credential|X-Amz-Security-Token)=)[^\s&"'\\]+/gi,
  /(["']?\b[\w.-]*(?:passw(?:or)?d|secret|api[_-]?key|access[_-]?key|private[_-]?key|auth[_-]?token|credential)[\w.-]*["']?\s*[=:]\s*\\?["']?)[^\s"'\\,;{}[\]]{6,}/gi,
];

/**
 * Takes secrets out of text: the values that it is given, in each way of writing that texts here have, and what looks like
 * one. The same text comes out of what was redacted already.
 */
export class Redactor {
  readonly #known: RegExp | undefined;

  constructor(secrets: Iterable<string>) {
    const forms = new Set([...secrets].flatMap((secret) => [secret, ...lines(secret)]).flatMap(formsOf));
    // The longest first: one may be a part of another.
    const words = [...forms].filter((form) => form.length >= LEAST_SECRET).sort((a, b) => b.length - a.length);
    this.#known = words.length === 0 ? undefined : new RegExp(words.map((word) => RegExp.escape(word)).join('|'), 'g');
  }

  redact(text: string): string {
    const known = this.#known === undefined ? text : text.replace(this.#known, REDACTED);
    return PATTERNS.reduce((before, pattern) => before.replace(pattern, (_, kept: string) => kept + REDACTED), known);
  }
}

/** A key or a certificate is cut into lines by whoever prints it. */
function lines(secret: string): readonly string[] {
  const found = secret.split(/\r?\n/).map((line) => line.trim());
  return found.length < 2 ? [] : found.filter((line) => line.length >= 16 && !line.startsWith('-----'));
}

/** As it is; in JSON, once and twice; in a URL; in base64, wherever it begins in what was encoded. */
function formsOf(secret: string): readonly string[] {
  if (secret.length < LEAST_SECRET) return [];
  const json = JSON.stringify(secret).slice(1, -1);
  return [
    secret,
    json,
    JSON.stringify(json).slice(1, -1),
    encodeURIComponent(secret.toWellFormed()),
    new URLSearchParams([['', secret]]).toString().slice(1),
    ...[0, 1, 2].flatMap((offset) => inBase64(secret, offset)),
  ];
}

/** The letters of base64 that depend on the secret alone, where `offset` bytes of a group of three come before it. */
function inBase64(secret: string, offset: number): readonly string[] {
  const bytes = Buffer.from(secret);
  const encoded = Buffer.concat([Buffer.alloc(offset), bytes]);
  const first = Math.ceil((offset * 8) / 6);
  const last = Math.floor(((offset + bytes.length) * 8) / 6);
  return (['base64', 'base64url'] as const).map((way) => encoded.toString(way).slice(first, last));
}
