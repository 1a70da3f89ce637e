import { join } from 'node:path';
import ts from 'typescript';
import { compilerOptions, REPOSITORY } from '../../../support/docs/compiler.ts';

const FACE = join(REPOSITORY, 'constructs/src/index.ts');

/** One exported symbol of `@delos/constructs`. */
export interface Exported {
  readonly name: string;
  /** Where it is declared, of all its meanings. */
  readonly declarations: readonly ts.Declaration[];
  /** A type alone: an import of it is `import type`. */
  readonly typeOnly: boolean;
}

/** The public face of `@delos/constructs`, by the compiler's own reading. */
export function publicFace(): { readonly exported: readonly Exported[]; readonly checker: ts.TypeChecker } {
  const program = ts.createProgram([FACE], compilerOptions());
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(FACE);
  const face = source === undefined ? undefined : checker.getSymbolAtLocation(source);
  if (face === undefined) throw new Error(`${FACE} exports nothing`);
  const exported = checker.getExportsOfModule(face).map((symbol) => {
    const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
    return {
      name: symbol.name,
      declarations: target.declarations ?? [],
      typeOnly: (target.flags & ts.SymbolFlags.Value) === 0,
    };
  });
  return { exported, checker };
}

/** `FILE: NAME` for messages. */
export const placeOf = (node: ts.Node, name: string): string =>
  `${node.getSourceFile().fileName.slice(REPOSITORY.length + 1)}: ${name}`;

const isHidden = (member: ts.ClassElement | ts.TypeElement): boolean =>
  (member.name !== undefined && ts.isPrivateIdentifier(member.name)) ||
  (ts.canHaveModifiers(member) &&
    (ts.getModifiers(member) ?? []).some(({ kind }) => kind === ts.SyntaxKind.PrivateKeyword));

/** `readonly kind: 'x'` says by itself which case it is. */
const isDiscriminant = (member: ts.Node): boolean =>
  ts.isPropertySignature(member) && member.type !== undefined && ts.isLiteralTypeNode(member.type);

/** The public members of a class or an interface. Constructors are said by their props. */
export function membersOf(declaration: ts.Declaration): readonly (ts.ClassElement | ts.TypeElement)[] {
  if (!ts.isClassDeclaration(declaration) && !ts.isInterfaceDeclaration(declaration)) return [];
  const all: readonly (ts.ClassElement | ts.TypeElement)[] = [...declaration.members];
  return all.filter(
    (member) =>
      !ts.isConstructorDeclaration(member) && !isHidden(member) && !isDiscriminant(member) && member.name !== undefined,
  );
}

/** Text of the doc comment, inherited from an interface where a class implements it. */
export function docOf(node: ts.Node, checker: ts.TypeChecker): string {
  const named = ts.isClassElement(node) || ts.isTypeElement(node) ? node.name : undefined;
  const symbol = named === undefined ? undefined : checker.getSymbolAtLocation(named);
  const text = symbol === undefined ? '' : ts.displayPartsToString(symbol.getDocumentationComment(checker));
  return text === ''
    ? ts
        .getJSDocCommentsAndTags(node)
        .map((each) => each.getText())
        .join('\n')
    : text;
}

/** Contents of the tags of this name. */
export const tagsOf = (node: ts.Node, tag: string): readonly string[] =>
  ts
    .getJSDocTags(node)
    .filter(({ tagName }) => tagName.text === tag)
    .map(({ comment }) => ts.getTextOfJSDocComment(comment) ?? '');
