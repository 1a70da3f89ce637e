import { join, relative } from 'node:path';
import { SERVICES, sectionName } from '@delos/constructs';
import ts from 'typescript';
import { SOURCES, tryRoomOf } from '../house/rooms.ts';
import { compilerOptions, REPOSITORY } from './compiler.ts';

/*
 * The type checker tells who reads which key of delos.yaml. A key is the line of a schema that declares it. That line is
 * in core/src/config, or in a service's descriptor. A read is any expression or pattern whose type takes that property.
 * It also counts after the configuration has been through the database: its type is still made from the schema's.
 */

const CONFIG = join(REPOSITORY, 'constructs/src/delos-config.ts');
const SECTIONS = join(REPOSITORY, 'constructs/src/service-sections.ts');
const LIST = join(REPOSITORY, 'constructs/src/services.ts');
/** These files declare, check and print every key: they are no readers. */
const NO_READERS = 'core/src/config/';

/** Name of the room that a file of the product lies in; undefined for tests and benches. */
function readerOf(file: string): string | undefined {
  const room = tryRoomOf(file);
  return room === undefined || room.imports === 'everything' || file.startsWith(NO_READERS) ? undefined : room.name;
}

/** Dotted path of a key (`presets[].cpu`) to the rooms that read it, by their names in docs/rooms.yaml. */
export function configReaders(): ReadonlyMap<string, ReadonlySet<string>> {
  const files = SOURCES.filter((file) => readerOf(file) !== undefined);
  const program = ts.createProgram([CONFIG, ...files.map((file) => join(REPOSITORY, file))], compilerOptions());
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
  for (const file of program.getSourceFiles()) {
    const room = readerOf(relative(REPOSITORY, file.fileName));
    if (room === undefined) continue;
    for (const symbol of readsIn(file, checker, names)) {
      for (const declaration of symbol.declarations ?? []) readers.get(declaration)?.add(room);
    }
  }
  return new Map(
    [...keys].map(([path, nodes]) => [path, new Set(nodes.flatMap((node) => [...(readers.get(node) ?? [])]))]),
  );
}

/** Every key of the parsed configuration, with the lines that declare it. */
function keysOf(program: ts.Program, checker: ts.TypeChecker): ReadonlyMap<string, readonly ts.Node[]> {
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
  visit(checker.getTypeAtLocation(declarationIn(program, CONFIG, 'DelosConfig')), '');
  /** What a schema makes, where the type of the property says so: `z.ZodType<Config>`. */
  const outputOf = (schema: ts.Symbol): ts.Type | undefined =>
    checker.getTypeArguments(checker.getTypeOfSymbol(schema) as ts.TypeReference)[0];
  const common = checker.getTypeAtLocation(declarationIn(program, SECTIONS, 'CommonSection'));
  const list = declarationIn(program, LIST, 'SERVICES');
  if (!ts.isVariableDeclaration(list) || list.initializer === undefined) throw new Error(`${LIST} has no list`);
  if (!ts.isArrayLiteralExpression(list.initializer)) throw new Error(`${LIST}: SERVICES is no list of names`);
  for (const [index, service] of SERVICES.entries()) {
    const descriptor = list.initializer.elements[index];
    if (descriptor === undefined) throw new Error(`${LIST} does not show ${service.name}`);
    const schema = checker.getPropertyOfType(checker.getTypeAtLocation(descriptor), 'config');
    if (schema === undefined) throw new Error(`${service.name} has no config`);
    const path = `services.${sectionName(service)}`;
    const section = outputOf(schema);
    if (section !== undefined) visit(section, path);
    visit(common, path);
    const form = checker.getPropertyOfType(checker.getTypeAtLocation(descriptor), 'external');
    for (const part of form === undefined ? [] : partsOf(checker.getTypeOfSymbol(form))) {
      const own = checker.getPropertyOfType(part, 'config');
      const given = own === undefined ? undefined : outputOf(own);
      if (given !== undefined) visit(given, `${path}.external`);
    }
  }
  return keys;
}

function declarationIn(program: ts.Program, file: string, name: string): ts.Declaration {
  const declared = program
    .getSourceFile(file)
    ?.statements.flatMap((each): readonly ts.NamedDeclaration[] =>
      ts.isVariableStatement(each) ? each.declarationList.declarations : ts.isInterfaceDeclaration(each) ? [each] : [],
    )
    .find((each) => each.name !== undefined && ts.isIdentifier(each.name) && each.name.text === name);
  if (declared === undefined) throw new Error(`${file} declares no ${name}`);
  return declared;
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
