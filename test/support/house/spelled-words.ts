import ts from 'typescript';

/** What a source spells by itself: texts, numbers, and lists of texts (arrays of them and unions of their types). */
export interface Spelled {
  readonly texts: readonly string[];
  readonly numbers: readonly number[];
  readonly lists: readonly (readonly string[])[];
}

/** Reads a source's literals. Comments, imports and keys of objects are none. */
export function spelledIn(source: string): Spelled {
  const texts: string[] = [];
  const numbers: number[] = [];
  const lists: (readonly string[])[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return;
    if (ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node)) {
      texts.push(node.text);
    }
    if (ts.isNumericLiteral(node)) numbers.push(Number(node.text));
    const list = listOf(node);
    if (list !== undefined) lists.push(list);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile('source.ts', source, ts.ScriptTarget.Latest, false));
  return { texts, numbers, lists };
}

/** The words of a node that is a list of two or more of them, and of nothing else. */
function listOf(node: ts.Node): readonly string[] | undefined {
  const parts = ts.isArrayLiteralExpression(node)
    ? [...node.elements]
    : ts.isUnionTypeNode(node)
      ? node.types.map((type) => (ts.isLiteralTypeNode(type) ? type.literal : type))
      : [];
  const words = parts.flatMap((part) => (ts.isStringLiteralLike(part) ? [part.text] : []));
  return words.length < 2 || words.length < parts.length ? undefined : words;
}
