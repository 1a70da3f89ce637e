import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { beforeAll, describe, expect, test } from 'vitest';
import { compilerOptions, REPOSITORY } from '../../../support/docs/compiler.ts';
import { docOf, type Exported, membersOf, placeOf, publicFace, tagsOf } from './face.ts';

let exported: readonly Exported[];
let checker: ts.TypeChecker;
beforeAll(() => {
  ({ exported, checker } = publicFace());
}, 180_000);

describe('the public face of @delos/constructs', () => {
  test('has the constructs of every layer', () => {
    expect(exported.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['Namespace', 'Workload', 'Secret', 'Postgres', 'Keycloak', 'Gateway', 'Platform']),
    );
  });

  test('says of every symbol what it is', () => {
    const silent = exported
      .flatMap(({ name, declarations }) => declarations.map((declaration) => ({ name, declaration })))
      .filter(({ declaration }) => docOf(commented(declaration), checker) === '');
    expect(silent.map(({ name, declaration }) => placeOf(declaration, name))).toEqual([]);
  });

  test('says of every member what it is', () => {
    const silent = members().filter(({ member }) => docOf(member, checker) === '');
    expect(silent.map(({ name, member }) => placeOf(member, name))).toEqual([]);
  });

  test('says of every optional property what holds without it', () => {
    const silent = members().filter(
      ({ member }) =>
        ts.isPropertySignature(member) && member.questionToken !== undefined && tagsOf(member, 'default').length === 0,
    );
    expect(silent.map(({ name, member }) => placeOf(member, name))).toEqual([]);
  });

  test('has an example for every class', () => {
    const silent = exported
      .flatMap(({ declarations }) => declarations)
      .filter(ts.isClassDeclaration)
      .filter((declaration) => tagsOf(declaration, 'example').length === 0);
    expect(silent.map((declaration) => placeOf(declaration, declaration.name?.text ?? ''))).toEqual([]);
  });

  test('hands out no type of its own that it does not export', () => {
    const names = new Set(exported.map(({ name }) => name));
    const missing = exported
      .flatMap(({ declarations }) => declarations)
      .flatMap((declaration) => membersOf(declaration))
      .flatMap(ownTypesOf)
      .filter((name) => !names.has(name));
    expect([...new Set(missing)]).toEqual([]);
  });
});

describe('the examples', () => {
  test('compile against the face alone', () => {
    const examples = exported.flatMap(({ name, declarations }) =>
      declarations.flatMap((declaration) =>
        [commented(declaration), ...membersOf(declaration)].flatMap((node) =>
          tagsOf(node, 'example').map((code) => ({ place: placeOf(node, name), code })),
        ),
      ),
    );
    expect(examples.length).toBeGreaterThan(10);
    expect(faultsOf(examples)).toEqual([]);
  });

  test('of the guide compile against it too', () => {
    const examples = shownInGuide()
      .filter((code) => !isProgram(code))
      .map((code, index) => ({ place: `docs/guides/library.md, ${index}`, code }));
    expect(examples.length).toBeGreaterThan(2);
    expect(faultsOf(examples)).toEqual([]);
  });

  test('that are whole programs in the guide are the files that a test runs', () => {
    const program = readFileSync(join(REPOSITORY, 'docs/examples/custom-platform/main.ts'), 'utf8');
    expect(shownInGuide().filter(isProgram)).toEqual([program]);
  });

  test('that are wrong are found', () => {
    expect(faultsOf([{ place: 'here', code: "new Postgres(chart, 'postgres', { namespace: 'by-name' });" }])).toEqual([
      expect.stringMatching(/^here: Type 'string' is not assignable to type 'Namespace'/),
    ]);
  });
});

/** The blocks of TypeScript of the guide. */
function shownInGuide(): readonly string[] {
  const guide = readFileSync(join(REPOSITORY, 'docs/guides/library.md'), 'utf8');
  return [...guide.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code = '']) => code);
}

const isProgram = (code: string): boolean => /^import /m.test(code);

function members(): readonly { readonly name: string; readonly member: ts.ClassElement | ts.TypeElement }[] {
  return exported.flatMap(({ name, declarations }) =>
    declarations.flatMap(membersOf).map((member) => ({ name: `${name}.${member.name?.getText() ?? ''}`, member })),
  );
}

/** The node that carries the comment: of a constant, its whole statement. */
const commented = (declaration: ts.Declaration): ts.Node =>
  ts.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration;

/** Names of the types in a member's own text that are declared in constructs/. */
function ownTypesOf(member: ts.Node): readonly string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isBlock(node) || (ts.isPropertyDeclaration(node.parent) && node.parent.initializer === node)) return;
    if (ts.isTypeReferenceNode(node)) {
      const symbol = checker.getSymbolAtLocation(node.typeName);
      const target =
        symbol !== undefined && symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
      const [declaration] = target?.declarations ?? [];
      const file = declaration?.getSourceFile().fileName ?? '';
      if (file.startsWith(join(REPOSITORY, 'constructs/src')) && declaration !== undefined) {
        if (!ts.isTypeParameterDeclaration(declaration)) found.push(target?.name ?? '');
      }
    }
    ts.forEachChild(node, visit);
  };
  ts.forEachChild(member, visit);
  return found;
}

/** Compiles each example as a module of its own, under the strict rules of the project. */
function faultsOf(examples: readonly { readonly place: string; readonly code: string }[]): readonly string[] {
  const values = exported.filter(({ typeOnly }) => !typeOnly).map(({ name }) => name);
  const prelude = [
    "import { App, Chart, JsonPatch } from 'cdk8s';",
    '',
    `import { ${values.join(', ')} } from '@delos/constructs';`,
    'declare const app: App;',
    'declare const chart: Chart;',
    'declare const namespace: Namespace;',
    'declare const platform: Platform;',
    'declare const workload: Workload;',
  ];
  const files = new Map(
    examples.map(({ place, code }, index) => [
      join(REPOSITORY, `test/unit/constructs/library/example-${index}.ts`),
      { place, text: [...prelude, '{', code, '}'].join('\n') },
    ]),
  );
  const options = compilerOptions();
  const host = ts.createCompilerHost(options);
  const virtual: ts.CompilerHost = {
    ...host,
    fileExists: (file) => files.has(file) || host.fileExists(file),
    readFile: (file) => files.get(file)?.text ?? host.readFile(file),
    getSourceFile: (file, ...rest) => {
      const own = files.get(file);
      return own === undefined ? host.getSourceFile(file, ...rest) : ts.createSourceFile(file, own.text, rest[0]);
    },
  };
  const program = ts.createProgram([...files.keys()], options, virtual);
  return [...files].flatMap(([file, { place }]) =>
    ts
      .getPreEmitDiagnostics(program, program.getSourceFile(file))
      .map(({ messageText }) => `${place}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`),
  );
}
