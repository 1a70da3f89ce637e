import type { Words } from './syntax-fault.ts';

/*
 * The messages for texts that are not YAML. Each names the cause, not the place where reading stopped.
 */

const QUOTE_IT = 'put the whole value in quotes';

export const unclosedQuote: Words = {
  message: 'the quote that opens here is never closed',
  hint: 'close the text with the same quote',
};

export const lateQuote = (line: number): Words => ({
  message: `the quote that opens here is closed on line ${line}, and more text follows there`,
  hint: 'a closing quote is probably missing on this line',
});

export const unknownEscape = (sign: string): Words => ({
  message: `\`\\${sign}\` is not an escape that YAML knows`,
  hint: `write \`\\\\${sign}\`, or use single quotes`,
});

export const wrongEscape = (sign: string, digits: number): Words => ({
  message: `\`\\${sign}\` needs the code of a character: ${digits} digits, 0-9 and A-F`,
  hint: `write \`\\\\${sign}\` if no character is meant, or use single quotes`,
});

export const blockHeader = (header: string): Words => ({
  message: `only a comment may follow \`${header}\` on its line`,
  hint: 'begin the text on the next line',
});

export const blockIndent: Words = {
  message: 'the indentation of a text is 1 to 9 blanks, not 0',
  hint: 'leave the digit out: the first line of the text tells the indentation',
};

export const tabIndent: Words = {
  message: 'a tab indents this line; YAML takes blanks only',
  hint: 'replace the tab with blanks',
};

export const tab: Words = {
  message: 'a tab stands here; YAML takes only blanks between its parts and before a comment',
  hint: 'replace the tab with a blank, or remove it',
};

export const wrongStart = (sign: string): Words => ({
  message: `a value cannot begin with \`${sign}\``,
  hint: QUOTE_IT,
});

export const wrongName = (sign: '*' | '&'): Words => ({
  message: `\`${sign}\` must be followed by the name of an anchor: letters, digits, \`-\` and \`_\``,
  hint: `if \`${sign}\` is text, ${QUOTE_IT}`,
});

export const wrongTag: Words = {
  message: 'this is not a tag that YAML knows: `!` begins one',
  hint: `if \`!\` is text, ${QUOTE_IT}`,
};

export const unknownHandle = (handle: string): Words => ({
  message: `the tag handle \`${handle}\` is not declared`,
  hint: `if \`!\` is text, ${QUOTE_IT}`,
});

export const wrongDirective: Words = {
  message: 'a line that begins with `%` is a directive, and YAML does not know this one',
  hint: 'remove the line, or put the value in quotes',
};

export const colonInValue = (key: string, value: string): Words => ({
  message: 'a colon with a blank behind it stands in a value without quotes',
  hint: /["\n\\]/.test(value) || key === '' ? QUOTE_IT : `put the value in quotes: ${key}: "${value}"`,
});

export const secondColon: Words = {
  message: 'this colon has no key before it',
  hint: 'write one `key: value` a line, and put a text that holds `: ` in quotes',
};

export const tooFarIn: Words = {
  message: 'this line is indented more than the line above it, which has its value already',
  hint: 'give both lines the same indentation',
};

export const noLevel = (columns: readonly number[]): Words => ({
  message: 'the indentation of this line fits none of the lines above',
  hint: `lines above begin after ${listed(columns)} blanks: use one of these`,
});

const listed = (columns: readonly number[]): string =>
  columns.length < 2 ? columns.join('') : `${columns.slice(0, -1).join(', ')} or ${columns.at(-1)}`;

export const noBlank = (key: string, value: string): Words => ({
  message: `a blank is missing behind the colon of \`${key}\``,
  hint: `write \`${key}: ${value}\``,
});

export const noColon = (text: string): Words => ({
  message: `expected \`key: value\`, found only ${shown(text)}`,
  hint: 'write a colon and a blank behind the key; if the line belongs to the text above, indent it more',
});

export const itemOnKeyLine: Words = {
  message: 'a list cannot begin here',
  hint: 'begin it on the line below its key; if `-` is text, put the value in quotes',
};

export const keyOnKeyLine: Words = {
  message: 'a key cannot begin here',
  hint: 'begin it on a line of its own; if `?` is text, put the value in quotes',
};

export const itemAmongKeys: Words = {
  message: 'an item of a list stands among keys',
  hint: 'indent the list below its own key, or write a key here',
};

export const keyAmongItems: Words = {
  message: 'a key stands among the items of a list',
  hint: 'begin it with `- `, or indent it as the key that the list belongs to',
};

export const afterValue: Words = {
  message: 'more text follows a complete value',
  hint: `write one value a line: ${QUOTE_IT}`,
};

export const emptyContent = (found: string): Words => ({
  message: `expected a value, found ${found}`,
  hint: QUOTE_IT,
});

export const unclosedBracket = (bracket: string): Words => ({
  message: `the \`${bracket}\` that opens here is not closed`,
  hint: `close it with \`${bracket === '[' ? ']' : '}'}\`; if it is text, ${QUOTE_IT}`,
});

export const inBrackets = (bracket: string, found: string): Words => ({
  message: `expected \`,\` or \`${bracket === '[' ? ']' : '}'}\`, found ${found}`,
  hint: 'write a comma between the values, and put a text with signs of YAML in quotes',
});

export const secondDocument: Words = {
  message: 'a second document begins here (---); one is expected',
  hint: 'put it in a file of its own',
};

export const afterEnd: Words = {
  message: 'something follows the end of the document',
  hint: 'remove it, or check the indentation of the lines above',
};

export const duplicateAnchor = (name: string): Words => ({
  message: `the anchor \`&${name}\` is there twice`,
  hint: 'give one of them another name',
});

export const unknownAlias = (name: string): Words => ({
  message: `there is no anchor \`&${name}\` before this alias`,
  hint: `if \`*\` is text, ${QUOTE_IT}`,
});

export const aliasWithin = (name: string): Words => ({
  message: `the alias \`*${name}\` stands inside of what it names`,
});

function shown(text: string): string {
  const line = text.split('\n')[0] ?? '';
  return `\`${line.length > 40 ? `${line.slice(0, 39)}…` : line}\``;
}

export const noDocumentStart: Words = {
  message: 'a directive (%) is followed by `---`, which is missing here',
  hint: 'write a line with `---`, or remove the directive',
};
