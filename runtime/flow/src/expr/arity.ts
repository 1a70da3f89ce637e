import { nearest } from '@delos/core';
import type { Token } from './lexer.ts';
import { SIGNATURES } from './signatures.ts';
import { SyntaxFault } from './syntax.ts';

/** A function that is known, with as many arguments as it takes. @throws SyntaxFault */
export function checkCall(token: Token, count: number, span: { readonly start: number; readonly end: number }): void {
  const signature = Object.hasOwn(SIGNATURES, token.text) ? SIGNATURES[token.text] : undefined;
  if (signature === undefined) {
    const near = nearest(token.text, Object.keys(SIGNATURES));
    throw new SyntaxFault(`there is no function \`${token.text}\``, token, {
      kind: 'function',
      hint: near === undefined ? `there are: ${Object.keys(SIGNATURES).join(', ')}` : `did you mean \`${near}\`?`,
    });
  }
  if (count < signature.min || (signature.max !== undefined && count > signature.max)) {
    throw new SyntaxFault(`\`${token.text}\` does not take ${count} argument${count === 1 ? '' : 's'}`, span, {
      kind: 'function',
      hint: `write ${signature.usage}`,
    });
  }
}
