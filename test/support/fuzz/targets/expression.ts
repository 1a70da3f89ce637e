import { EvalFault, evaluateTemplate, PythonError, parseTemplate, repr, SyntaxFault, Waiting } from '@delos/flow';
import { scopeOfData } from '../../flow/answer.ts';
import { CONTEXT } from '../../flow/expression-words.ts';
import { ExpressionMaker } from '../../flow/expressions.ts';
import { seeded } from '../../random.ts';
import type { Target } from '../engine.ts';

const scope = scopeOfData(CONTEXT);
const maker = new ExpressionMaker(seeded(1));
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Templates: whatever is read, it has a value or is refused. */
export const target: Target = {
  seeds: Array.from({ length: 500 }, () => encode(maker.template())),
  words: Object.keys(CONTEXT),
  run: (input) => {
    try {
      repr(evaluateTemplate(parseTemplate(decoder.decode(input)), scope));
    } catch (error) {
      const known = [SyntaxFault, EvalFault, PythonError, Waiting].some((kind) => error instanceof kind);
      if (!known) throw error;
    }
  },
};
