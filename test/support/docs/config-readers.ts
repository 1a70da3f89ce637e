import { globSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { compilerOptions, REPOSITORY } from './compiler.ts';

/*
 * Who reads which key of delos.yaml, told by the type checker. A key is the line of core/src/config/shape.ts that declares
 * it. A read is any expression or pattern whose type says that it takes that property, also where the configuration has
 * been through the database meanwhile: its type is still made from the schema's.
 */

const SHAPE = join(REPOSITORY, 'core/src/config/shape.ts');
const ROOMS = ['core', 'constructs', 'runtime', 'cluster', 'stacks', 'airgap', 'cli'] as const;
/** These files declare, check and print every key: they are no readers. */
const NO_READERS = join(REPOSITORY, 'core/src/config');

/** Dotted path of a key (`presets[].cpu`) to the rooms that read it. */
export function configReaders(): ReadonlyMap<string, ReadonlySet<string>> {
  const files = ROOMS.flatMap((room) => globSync(`${room}/src/**/*.ts`, { cwd: REPOSITORY }));
  const program = ts.createProgram([SHAPE, ...files.map((file) => join(REPOSITORY, file))], compilerOptions());
  const checker = program.getTypeChecker();
  const readers = new Map<ts.Node, Set<string>>();
  const keys = keysOf(program, checker);
  // A type is only asked for where a name is that of a key, which saves most of the time.
  const names = new Set(
    [...keys.keys()].map(
      (path) =>
        path
          .replace(/(\[\])+$/, '')
          .split('.')
          .at(-1) ?? '',
    ),
  );
  for (const nodes of keys.values()) for (const node of nodes) readers.set(node, new Set());
  for (const room of ROOMS) {
    const within = join(REPOSITORY, room, 'src/');
    for (const file of program.getSourceFiles()) {
      if (!file.fileName.startsWith(within) || file.fileName.startsWith(NO_READERS)) continue;
      for (const symbol of readsIn(file, checker, names)) {
        for (const declaration of symbol.declarations ?? []) readers.get(declaration)?.add(room);
      }
    }
  }
  return new Map(
    [...keys].map(([path, nodes]) => [path, new Set(nodes.flatMap((node) => [...(readers.get(node) ?? [])]))]),
  );
}

/** Every key of the parsed configuration, with the lines that declare it. */
function keysOf(program: ts.Program, checker: ts.TypeChecker): ReadonlyMap<string, readonly ts.Node[]> {
  const shape = program.getSourceFile(SHAPE);
  const declaration = shape?.statements.find(
    (each): each is ts.TypeAliasDeclaration => ts.isTypeAliasDeclaration(each) && each.name.text === 'PlatformConfig',
  );
  if (declaration === undefined) throw new Error(`${SHAPE} declares no type PlatformConfig`);
  const keys = new Map<string, readonly ts.Node[]>();
  const visit = (type: ts.Type, path: string): void => {
    for (const plain of partsOf(type)) {
      if (checker.isArrayType(plain)) {
        const [element] = checker.getTypeArguments(plain as ts.TypeReference);
        if (element !== undefined) visit(element, `${path}[]`);
        continue;
      }
      if ((plain.flags & ts.TypeFlags.Object) === 0) continue;
      for (const property of checker.getPropertiesOfType(plain)) {
        const here = path === '' ? property.name : `${path}.${property.name}`;
        keys.set(here, property.declarations ?? []);
        visit(checker.getTypeOfSymbol(property), here);
      }
    }
  };
  visit(checker.getTypeAtLocation(declaration.name), '');
  return keys;
}

const partsOf = (type: ts.Type): readonly ts.Type[] => (type.isUnion() ? type.types : [type]);

/** The properties that a file takes from something: `a.b`, `a[b]`, `{ b } = a`. */
function* readsIn(file: ts.SourceFile, checker: ts.TypeChecker, names: ReadonlySet<string>): Iterable<ts.Symbol> {
  const named = function* (type: ts.Type, name: string): Iterable<ts.Symbol> {
    for (const part of partsOf(type)) {
      const property = checker.getPropertyOfType(part, name);
      if (property !== undefined) yield property;
    }
  };
  const visit = function* (node: ts.Node): Iterable<ts.Symbol> {
    if (ts.isPropertyAccessExpression(node)) {
      if (names.has(node.name.text)) yield* named(checker.getTypeAtLocation(node.expression), node.name.text);
    } else if (ts.isElementAccessExpression(node)) {
      const keys = partsOf(checker.getTypeAtLocation(node.argumentExpression))
        .flatMap((key) => (key.isStringLiteral() ? [key.value] : []))
        .filter((key) => names.has(key));
      const object = keys.length === 0 ? undefined : checker.getTypeAtLocation(node.expression);
      if (object !== undefined) for (const key of keys) yield* named(object, key);
    } else if (ts.isBindingElement(node) && ts.isObjectBindingPattern(node.parent)) {
      const key = node.propertyName ?? node.name;
      if (ts.isIdentifier(key) && names.has(key.text)) yield* named(checker.getTypeAtLocation(node.parent), key.text);
    }
    const below: ts.Node[] = [];
    ts.forEachChild(node, (child) => void below.push(child));
    for (const child of below) yield* visit(child);
  };
  yield* visit(file);
}
