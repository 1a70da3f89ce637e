import { composeYaml, Report } from '@delos/flow';
import { describe, expect, test } from 'vitest';
import { YamlMaker } from '../../support/flow/yaml-texts.ts';
import { runSeed, seeded } from '../../support/random.ts';

function said(text: string): readonly string[] {
  const report = new Report('f.yml', text);
  return composeYaml(text).faults.map(({ start, message, hint }) => {
    const { line, column } = report.position(start);
    return `${line}:${column} ${message} = ${hint}`;
  });
}
const task = (text: string): string => `kind: batch\ntasks:\n  - id: a\n${text}`;

describe('a text that is no YAML is told in one error, at its cause', () => {
  test.each([
    ['a colon in a value', task('    cmd: echo note: this\n'), /^4:19 a colon .* quotes: cmd: "echo note: this"$/],
    ['an indentation too large', task('    image: u\n      cmd: ls\n'), /^5:7 this line is indented more/],
    ['such a one below quotes', task('    image: "u"\n      cmd: ls\n'), /^5:7 this line is indented more/],
    ['such a one below brackets', task('    tags: [a]\n      cmd: ls\n'), /^5:7 this line is indented more/],
    ['an indentation of no line above', 'a:\n    b: 1\n  c: 2\n', /^3:3 the indentation .* fits none .* 0 blanks/],
    ['a first line that is indented', ' a: 1\nb: 2\n', /^2:1 the indentation .* fits none/],
    ['no blank behind a colon', task('    cmd:jupyter lab\n'), /^4:8 a blank is missing .* `cmd: jupyter lab`$/],
    [
      'no blank behind the first colon',
      'jobs:\n  j:\n    image:u\n    cmd: ls\n',
      /^3:10 a blank is missing .* `image`/,
    ],
    ['no colon', task('    image\n    cmd: ls\n'), /^4:5 expected `key: value`, found only `image`/],
    [
      'a quote that is not closed',
      task('    image: "u\n    cmd: ls\n'),
      /^4:12 the quote that opens here is never closed/,
    ],
    [
      'a quote that the next one closes',
      task('    image: "u\n    cmd: "ls"\n'),
      /^4:12 the quote that opens here is closed on line 5/,
    ],
    ['a single quote that is not closed', task("    cmd: 'it\n"), /^4:10 the quote/],
    ['text behind quotes', task('    cmd: "a" b\n'), /^4:14 more text follows a complete value/],
    ['a tab behind a value', task('    cmd: ls\t# list\n'), /^4:12 a tab stands here/],
    ['a tab behind a colon', task('    cmd:\tls\n'), /^4:9 a tab stands here/],
    ['a tab that indents', task('\t  cmd: ls\n'), /^4:1 a tab indents this line/],
    ['a tab below blanks', task('    \tcmd: ls\n'), /^4:5 a tab indents this line/],
    [
      'a bracket that is not closed',
      task('    tags: [a, b\n    cmd: ls\n'),
      /^4:11 the `\[` that opens here is not closed/,
    ],
    ['a brace that is not closed', task('    env: {A: b\n'), /^4:10 the `\{` that opens here is not closed/],
    ['a bracket of the other kind', task('    tags: [a}\n'), /^4:13 expected `,` or `\]`, found `}`/],
    ['no comma', task('    tags: ["a" "b"]\n'), /^4:16 expected `,` or `\]`, found `b`/],
    ['a sign that begins no value', task('    cmd: @x\n'), /^4:10 a value cannot begin with `@`/],
    ['a backtick', task('    cmd: `ls`\n'), /^4:10 a value cannot begin with/],
    ['a percent sign', task('    cmd: %x\n'), /^4:10 a value cannot begin with `%`/],
    ['a comma', task('    cmd: , x\n'), /^4:10 a value cannot begin with `,`/],
    ['a closing bracket', task('    cmd: ] x\n'), /^4:10 a value cannot begin with `\]`/],
    ['a star', task('    cmd: *.py\n'), /^4:10 `\*` must be followed by/],
    ['an alias of nothing', task('    cmd: *x\n'), /^4:10 there is no anchor `&x`/],
    ['an ampersand', task('    cmd: && ls\n'), /^4:10 `&` must be followed by/],
    ['an escape that is none', task('    cmd: "\\d+"\n'), /^4:11 `\\d` is not an escape .* `\\\\d`/],
    ['a list on the line of its key', task('    needs: - b\n'), /^4:12 a list cannot begin here/],
    ['an item among keys', 'kind: batch\n- a\n', /^2:1 an item of a list stands among keys/],
    ['a key among items', 'a:\n  - b\n  c: d\n', /^3:3 a key stands among the items/],
    ['text on the line of `|`', task('    bash: | echo\n'), /^4:13 only a comment may follow `\|`/],
    ['line ends of other systems', 'kind: batch\rtasks:\r\n  - id: a\r    cmd: ls\t\r', /^4:12 a tab stands here/],
    ['a second document', 'a: 1\n---\nb: 2\n', /^2:1 a second document/],
    ['a directive', '%FOO\na: 1\n', /^2:1 a directive/],
  ])('%s', (_name, text, words) => {
    const [first, ...more] = said(text);
    expect(first).toMatch(words);
    expect(more).toEqual([]);
  });

  test('whatever the text, one mistake of YAML is told at most, within the text', () => {
    const maker = new YamlMaker(seeded(runSeed()));
    for (let made = 0; made < 1500; made += 1) {
      const text = maker.text();
      const syntax = composeYaml(text).faults.filter(
        ({ kind, message }) => kind === 'syntax' && !/accepted|digits|calendar|time of/.test(message),
      );
      expect(syntax.length, JSON.stringify(text)).toBeLessThanOrEqual(1);
      for (const { start, message } of syntax) {
        expect(start, JSON.stringify(text)).toBeLessThanOrEqual(text.length);
        expect(message).not.toMatch(/undefined|NaN|block end|\bscalar\b|\btoken\b/);
      }
    }
  });
});
