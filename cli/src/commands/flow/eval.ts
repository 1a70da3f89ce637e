import { readFileSync } from 'node:fs';
import { DelosError, type Where } from '@delos/core';
import {
  contextsOf,
  Dict,
  EvalFault,
  evaluateTemplate,
  fromJson,
  PythonError,
  parseGiven,
  plainValue,
  type Scope,
  SyntaxFault,
  scopeOf,
  str,
  typeName,
  type Value,
  volumeOfReference,
  Waiting,
} from '@delos/flow';
import type { CommandContext } from '../../context.ts';
import { hashFiles } from './files.ts';

const PLACE = { cluster: 'default', org: null, project: 'default', user: 'user' };

/** Prints the value of an expression. */
export async function run(
  context: CommandContext,
  expression: string,
  options: { readonly context?: string },
): Promise<void> {
  const values = options.context === undefined ? {} : contextsOf(contextData(options.context));
  const value = evaluated(
    expression,
    scopeOf(values, { outside: { parseVolume: (text) => volumeOfReference(text, PLACE), hashFiles } }),
  );
  context.result({ value: plainValue(value), type: typeName(value), text: str(value) }, str(value));
}

function evaluated(expression: string, scope: Scope): Value {
  try {
    return evaluateTemplate(parseGiven(expression), scope);
  } catch (error) {
    if (error instanceof Waiting)
      throw new DelosError('ERR_REQUEST', `the expression needs ${error.waits}`, {
        hint: 'it has a value only on the platform',
      });
    if (!(error instanceof SyntaxFault) && !(error instanceof EvalFault)) throw error;
    const where: Where = { line: 1, column: error.start + 1 };
    const arrow = `${expression.split('\n')[0]}\n  ${' '.repeat(error.start)}${'^'.repeat(Math.max(1, error.end - error.start))}`;
    throw new DelosError('ERR_REQUEST', error.message, {
      where,
      hint: error.hint === undefined ? arrow : `${arrow}\n  ${error.hint}`,
    });
  }
}

function contextData(file: string): Dict {
  try {
    const data = fromJson(readFileSync(file, 'utf8'));
    if (data instanceof Dict) return data;
  } catch (cause) {
    const reason = cause instanceof PythonError || cause instanceof Error ? cause.message : String(cause);
    throw new DelosError('ERR_USAGE', `${file} cannot be read as JSON: ${reason}`, {
      hint: 'write {"params": {"name": "value"}}',
      cause,
    });
  }
  throw new DelosError('ERR_USAGE', `${file} holds no JSON object`, { hint: 'write {"params": {"name": "value"}}' });
}
