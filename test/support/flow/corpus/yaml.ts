import type { Case } from '../cases.ts';
import { batch, job, raw, two } from './make.ts';

/* Files in which it counts how YAML is read, and names that contexts lack before their values are there. */
export const YAML: Readonly<Record<string, Case>> = {
  'a block text at the end of a file without a line end has none': raw(
    'kind: batch\ntasks:\n  - id: a\n    image: u\n    bash: |\n      echo one',
  ),
  'a folded text at the end of a file without a line end has none': raw(
    'kind: batch\ntasks:\n  - id: a\n    image: u\n    bash: >+\n      echo\n      one',
  ),
  'a quoted text goes on at the column of its key': raw(
    'kind: batch\ntasks:\n  - id: a\n    image: u\n    cmd: "echo one\n    two"\n',
  ),
  'a quoted text goes on at the start of a line': raw(
    "kind: batch\ntasks:\n  - id: a\n    image: u\n    cmd: 'echo one\n\ntwo'\n",
  ),
  'a tab behind a value is refused': raw('kind: batch\ntasks:\n  - id: a\n    image: u\n    cmd: ls\t# list\n'),
  'a tab within quotes is text': raw('kind: batch\ntasks:\n  - id: a\n    image: u\n    cmd: "a\tb"\n'),
  'a tab that indents is refused': raw('kind: batch\ntasks:\n\t- id: a\n'),
  'brackets close at the column of their key': raw(
    'kind: batch\ntasks:\n  - id: a\n    image: u\n    tags: [\n      x,\n    ]\n',
  ),
  'a comment ends a value of several lines': raw(
    'kind: batch\ntasks:\n  - id: a\n    image: u\n    cmd: one\n      two # note\n      three\n',
  ),
  'a number sign without a blank before it is text': raw('kind: batch\ntasks:\n  - {id: a, image: u, cmd: a#b}\n'),
  'line ends of other systems are line ends': raw(
    'kind: batch\r\ntasks:\r  - id: a\r\n    image: u\r\n    bash: |\r\n      one\r\n      two\r\n',
  ),
  'a byte order mark begins a file': raw('\ufeffkind: batch\ntasks: []\n'),
  'a directive and the marks of a document are taken': raw('%YAML 1.1\n---\nkind: batch\ntasks: []\n...\n'),
  'a second document is refused': raw('kind: batch\ntasks: []\n---\nkind: batch\ntasks: []\n'),
  'a key of more than 1024 characters is refused': raw(`kind: batch\n${'x'.repeat(1025)}: a\ntasks: []\n`),
  'a merge key is refused': raw('kind: batch\ntasks:\n  - &a {id: a, image: u}\n  - {<<: *a, id: b}\n'),
  'an anchor that is there twice is refused': raw('kind: batch\ntitle: &a x\nid: &a y\ntasks: []\n'),
  'a value that begins with a sign of YAML is refused': raw('kind: batch\ntitle: @me\ntasks: []\n'),
  'an explicit key is taken': raw('kind: batch\n? tasks\n: - {id: a, image: u}\n'),
  'a text with a digit keeps its blanks': raw(
    'kind: batch\ntasks:\n  - id: a\n    image: u\n    bash: |2\n         deep\n      less\n',
  ),
  'two tasks of one id that do not need each other': batch(
    'tasks:\n  - {id: a, image: u, needs: []}\n  - {id: a, image: v, needs: []}\n',
  ),
  'two tasks of one id, of which the second would need itself': batch(
    'tasks:\n  - {id: a, image: u}\n  - {id: a, image: v}\n',
  ),
  'rows of one id that need themselves': batch(
    'tasks:\n  - {id: a, image: u, needs: [a], strategy: {matrix: {x: [1, 2]}}}\n',
  ),
  'a mapping given by one template that names what a needed task lacks': two('env: ${{ needs.prepare.output }}\n'),
  'a list given by one template that names what a needed task lacks': two('tags: ${{ needs.prepare.output }}\n'),
  'a list given by one template of an unknown context': two('volumes: ${{ nope.a }}\n'),
  'an entry of a mapping that names what a needed task lacks': two('env: {A: "${{ needs.prepare.output }}"}\n'),
  'an output of a needed task has no parts': two('cmd: ${{ needs.prepare.outputs.x.y }}\n'),
  'a needed task is no mapping': two('tags: ["${{ needs.prepare[\'result\'] }}"]\n'),
  'git has no such field': two('env: {A: "${{ git.shaa }}"}\n'),
  'several instances have a suffix': job('multi: true\ncmd: ${{ multi.suffix }}\n'),
  'several instances have no arguments': job('multi: true\ncmd: ${{ multi.args }}\n'),
};
