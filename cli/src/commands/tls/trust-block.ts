const RULE = (name: string, arrows: string): string => `# ${arrows} delos trust ${name} ${arrows}`;

/** Certificates as a part of a file of certificates, which readers of PEM take as it is. */
export const trustBlock = (name: string, pem: string): string =>
  `${RULE(name, '>>>')}\n${pem.trim()}\n${RULE(name, '<<<')}\n`;

/** Adds the block at the end, in place of one of the same name. */
export const withBlock = (text: string, name: string, pem: string): string =>
  `${withoutBlock(text, name)}\n${trustBlock(name, pem)}`;

/** Takes the block out again: exactly what {@link withBlock} has added. */
export function withoutBlock(text: string, name: string): string {
  const from = text.indexOf(`\n${RULE(name, '>>>')}\n`);
  const last = `\n${RULE(name, '<<<')}\n`;
  const to = from < 0 ? -1 : text.indexOf(last, from);
  return to < 0 ? text : text.slice(0, from) + text.slice(to + last.length);
}
