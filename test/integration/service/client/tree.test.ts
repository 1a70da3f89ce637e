import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { type ApoloClient, apoloClient } from '../../../../peers/src/apolo.ts';
import { execute } from '../../../../peers/src/command.ts';
import { authorityPython } from '../../../../peers/src/flow-authority.ts';

/*
 * The official clients' own trees of commands, read from the client, against docs/client.yaml: what is here of it, with the
 * test that runs it, or why it is not. docs/guides/client.md is made of both (`-u` writes it).
 */

const ROOT = join(import.meta.dirname, '../../../..');
const answer = z.strictObject({
  works: z.string().optional(),
  refused: z.string().optional(),
  local: z.string().optional(),
  untested: z.string().optional(),
  words: z.string().optional(),
});
type Answer = z.infer<typeof answer>;
const command = answer.extend({ each: z.boolean().default(false), options: z.record(z.string(), answer).default({}) });
const table = z
  .strictObject({
    tests: z.record(z.string(), z.string()),
    shortcuts: z.record(z.string(), z.string()),
    commands: z.record(z.string(), command),
    flow: z.record(z.string(), command),
  })
  .parse(parse(readFileSync(join(ROOT, 'docs/client.yaml'), 'utf8')));

const APOLO = {
  imports: 'from apolo_cli.main import cli\nfrom apolo_extras import main as extras',
  walks: "*walk(cli, [], None), *walk(extras, ['apolo-extras'], None)",
};
const FLOW = { imports: 'from apolo_flow.cli.main import cli', walks: '*walk(cli, [], None)' };
const treeOf = ({ imports, walks }: typeof APOLO): string => `
import click, json
${imports}
def walk(command, path, parent):
    context = click.Context(command, info_name=path[-1] if path else 'apolo', parent=parent)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found is not None:
                yield from walk(found, path + [name], context)
    else:
        options = [max(each.opts, key=len) for each in command.params if isinstance(each, click.Option)]
        yield {'name': ' '.join(path), 'options': options}
print(json.dumps([${walks}]))
`;
const tree = z.array(z.object({ name: z.string(), options: z.array(z.string()) }));

let client: ApoloClient;
let commands: z.infer<typeof tree>;
let flowCommands: z.infer<typeof tree>;
beforeAll(async () => {
  client = await apoloClient({ extras: true });
  const { code, stdout, stderr } = await client.python(treeOf(APOLO));
  expect(code, stderr).toBe(0);
  commands = tree.parse(JSON.parse(stdout));
  const flow = await execute([await authorityPython(), '-c', treeOf(FLOW)]);
  expect(flow.code, flow.stderr).toBe(0);
  flowCommands = tree.parse(JSON.parse(flow.stdout));
});
afterAll(async () => {
  await client?.close();
});

type Lines = Readonly<Record<string, z.infer<typeof command>>>;
interface Part {
  readonly lines: Lines;
  readonly shortcuts: Readonly<Record<string, string>>;
  readonly tree: z.infer<typeof tree>;
}
const partsOf = (): readonly Part[] => [
  { lines: table.commands, shortcuts: table.shortcuts, tree: commands },
  { lines: table.flow, shortcuts: {}, tree: flowCommands },
];
const optionsOf = (of: Part, name: string): readonly string[] =>
  of.tree.find((each) => each.name === name)?.options ?? [];
const textOf = (name: string): string => readFileSync(join(ROOT, table.tests[name] ?? ''), 'utf8');

test('each command of the client is in the table, once, and nothing else is', () => {
  expect(commands.length).toBeGreaterThan(100);
  for (const { lines, shortcuts, tree } of partsOf()) {
    const listed = [...Object.keys(lines), ...Object.keys(shortcuts)];
    expect(listed.toSorted()).toEqual(tree.map(({ name }) => name).toSorted());
  }
  for (const long of Object.values(table.shortcuts)) expect(Object.keys(table.commands)).toContain(long);
});

test('each line says one thing: which test runs it, why it is not here, or that the client does it alone', () => {
  const all = partsOf().flatMap(({ lines }) => Object.entries(lines));
  const lines = all.flatMap(([name, { each: _, options, ...own }]): [string, Answer][] => [
    [name, own],
    ...Object.entries(options).map(([option, other]): [string, Answer] => [`${name} ${option}`, other]),
  ]);
  for (const [name, { works, refused, local, untested }] of lines) {
    expect(
      [works, refused, local, untested].filter((said) => said !== undefined),
      name,
    ).toHaveLength(1);
    if (works !== undefined) expect(Object.keys(table.tests), name).toContain(works);
  }
});

test('each option that a line names is the client’s', () => {
  for (const part of partsOf()) {
    for (const [name, { options }] of Object.entries(part.lines)) {
      for (const option of Object.keys(options)) expect(optionsOf(part, name), name).toContain(option);
    }
  }
});

test('each test that the table names is there, and has the command in it', () => {
  for (const file of Object.values(table.tests)) expect(existsSync(join(ROOT, file)), file).toBe(true);
  const missing: string[] = [];
  const inTest = (name: string, given: Answer, words: readonly string[]): void => {
    if (given.works === undefined || words.some((word) => textOf(given.works ?? '').includes(word))) return;
    missing.push(`${name}: ${table.tests[given.works]} has none of ${words.join(', ')}`);
  };
  const look = (part: Part, name: string, { each, options, ...own }: z.infer<typeof command>): void => {
    const shorts = Object.entries(part.shortcuts).flatMap(([short, long]) => (long === name ? [short] : []));
    inTest(
      name,
      own,
      [name, ...shorts].map((given) => given.split(' ').at(-1) ?? ''),
    );
    for (const [option, other] of Object.entries(options)) inTest(`${name} ${option}`, other, [option]);
    const rest = each ? optionsOf(part, name).filter((option) => !(option in options)) : [];
    // Many can be denied as well.
    for (const option of rest) inTest(`${name} ${option}`, own, [option, option.replace('--', '--no-')]);
  };
  for (const part of partsOf()) for (const [name, line] of Object.entries(part.lines)) look(part, name, line);
  expect(missing).toEqual([]);
});

test('the guide says what the table says', async () => {
  const shortOf = (name: string): string => {
    const shorts = Object.entries(table.shortcuts).flatMap(([short, long]) => (long === name ? [`\`${short}\``] : []));
    return shorts.length === 0 ? '' : `, ${shorts.join(', ')}`;
  };
  const said = ({ works, refused, local, untested, words }: Answer): string => {
    if (untested !== undefined) return `yes, untested: ${untested}`;
    if (local !== undefined) return `by the client alone: ${local}`;
    const more = words === undefined ? '' : ` (${words})`;
    return works === undefined ? `**no**: ${refused}${more}` : `yes${more}`;
  };
  const tested = ({ works }: Answer): string => (works === undefined ? '' : `[${works}](../../${table.tests[works]})`);
  const rowsOf = (lines: Lines, short: (name: string) => string): readonly string[] =>
    Object.entries(lines).flatMap(([name, { each: _, options, ...own }]) => [
      `| \`${name}\`${short(name)} | ${said(own)} | ${tested(own)} |`,
      ...Object.entries(options).map(
        ([option, other]) => `| \`${name} ${option}\` | ${said(other)} | ${tested(other)} |`,
      ),
    ]);
  const guide = [
    '# The official clients, command by command',
    '',
    'What of `apolo` (apolo-cli 26.9) and `apolo-extras` (26.8) works against this platform, with the test that runs it. An option has a line where it',
    'differs from its command. What is not here says so in one sentence, and nothing is half done. The table is made from',
    '`docs/client.yaml` and the client’s own tree of commands.',
    '',
    '| command | here | test |',
    '| --- | --- | --- |',
    ...rowsOf(table.commands, shortOf),
    '',
    '## apolo-flow',
    '',
    'The same of `apolo-flow` (26.7). [Bakes and live jobs](bakes.md) tells how it is used.',
    '',
    '| command | here | test |',
    '| --- | --- | --- |',
    ...rowsOf(table.flow, () => ''),
    '',
  ];
  await expect(guide.join('\n')).toMatchFileSnapshot(join(ROOT, 'docs/guides/client.md'));
});
