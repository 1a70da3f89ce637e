import { readFile } from 'node:fs/promises';
import type { Plugin } from 'esbuild';
import ts from 'typescript';
import { COUNTERS, PLACES, WORDS } from './instrument-names.ts';

/** To stand before all modules of a bundle. */
export const BANNER = [
  `const ${COUNTERS} = (globalThis.${COUNTERS} = new Uint8Array(${PLACES}));`,
  `const ${WORDS} = (globalThis.${WORDS} = []);`,
].join('\n');

/** Counts branches in the files whose paths match, and gathers the texts in them. */
export function instrumented(matching: RegExp): Plugin {
  let next = 0;
  return {
    name: 'instrumented',
    setup(build) {
      build.onLoad({ filter: matching }, async ({ path }) => {
        const source = ts.createSourceFile(path, await readFile(path, 'utf8'), ts.ScriptTarget.Latest, true);
        const words = new Set<string>();
        const place = (): number => next++;
        const { transformed } = ts.transform(source, [(context) => (file) => branches(file, context, place, words)]);
        const text = ts.createPrinter().printFile(transformed[0] as ts.SourceFile);
        const gathered = `${WORDS}.push(...${JSON.stringify([...words])});\n`;
        return { contents: text + gathered, loader: path.endsWith('.ts') ? 'ts' : 'js' };
      });
    },
  };
}

function branches(
  file: ts.SourceFile,
  context: ts.TransformationContext,
  place: () => number,
  words: Set<string>,
): ts.SourceFile {
  const { factory } = context;
  const count = (): ts.Expression =>
    factory.createPostfixIncrement(
      factory.createElementAccessExpression(factory.createIdentifier(COUNTERS), place() % PLACES),
    );
  const counted = (value: ts.Expression): ts.Expression =>
    factory.createParenthesizedExpression(factory.createComma(count(), value));
  const block = (statement: ts.Statement): ts.Block => {
    const statements = ts.isBlock(statement) ? statement.statements : [statement];
    return factory.createBlock([factory.createExpressionStatement(count()), ...statements], true);
  };
  const visit = (node: ts.Node): ts.Node => {
    if (
      ts.isStringLiteral(node) &&
      node.text.length > 0 &&
      node.text.length < 24 &&
      !ts.isImportDeclaration(node.parent)
    )
      words.add(node.text);
    if (ts.isTypeNode(node) || ts.isImportDeclaration(node)) return node;
    const made = ts.visitEachChild(node, visit, context);
    if (ts.isIfStatement(made)) {
      const otherwise = made.elseStatement === undefined ? undefined : block(made.elseStatement);
      return factory.updateIfStatement(made, made.expression, block(made.thenStatement), otherwise);
    }
    if (ts.isForStatement(made))
      return factory.updateForStatement(
        made,
        made.initializer,
        made.condition,
        made.incrementor,
        block(made.statement),
      );
    if (ts.isForOfStatement(made))
      return factory.updateForOfStatement(
        made,
        made.awaitModifier,
        made.initializer,
        made.expression,
        block(made.statement),
      );
    if (ts.isWhileStatement(made)) return factory.updateWhileStatement(made, made.expression, block(made.statement));
    if (ts.isCaseClause(made) && made.statements.length > 0)
      return factory.updateCaseClause(made, made.expression, [
        factory.createExpressionStatement(count()),
        ...made.statements,
      ]);
    if (ts.isConditionalExpression(made))
      return factory.updateConditionalExpression(
        made,
        made.condition,
        made.questionToken,
        counted(made.whenTrue),
        made.colonToken,
        counted(made.whenFalse),
      );
    const { AmpersandAmpersandToken, BarBarToken, QuestionQuestionToken } = ts.SyntaxKind;
    if (
      ts.isBinaryExpression(made) &&
      [AmpersandAmpersandToken, BarBarToken, QuestionQuestionToken].some((kind) => kind === made.operatorToken.kind)
    )
      return factory.updateBinaryExpression(made, made.left, made.operatorToken, counted(made.right));
    return made;
  };
  return ts.visitNode(file, visit) as ts.SourceFile;
}
