import type { EvalFault } from '../expr/scope.ts';
import { SyntaxFault } from '../expr/syntax.ts';
import type { Span } from '../yaml/node.ts';
import { FLOW_CODES, type FlowCode } from './codes.ts';

/** One thing to say about a file. Lines and columns count from 1, columns in UTF-16 units as editors count them. */
export interface Diagnostic {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly severity: 'error' | 'warning';
  readonly code: FlowCode;
  readonly message: string;
  /** The nearest name, or another next step. */
  readonly hint?: string;
  /** The line itself, and how much of it is meant. */
  readonly source: string;
  readonly length: number;
}

/** A file's text and all that is said about it. */
export class Report {
  readonly file: string;
  readonly text: string;
  readonly #found = new Map<string, Diagnostic>();
  readonly #lines: readonly number[];
  #errors = 0;

  constructor(file: string, text: string) {
    this.file = file;
    this.text = text;
    const lines = [0];
    if (text.includes('\r')) for (const { 0: end, index } of text.matchAll(/\r\n?|\n/g)) lines.push(index + end.length);
    else for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) lines.push(at + 1);
    this.#lines = lines;
  }

  add(code: FlowCode, span: Span, message: string, hint?: string): void {
    const { line, column } = this.position(span.start);
    const begin = this.#lines[line - 1] ?? 0;
    const source = this.text.slice(begin, this.#lines[line] ?? this.text.length).replace(/[\r\n]+$/, '');
    const diagnostic: Diagnostic = {
      file: this.file,
      line,
      column,
      severity: FLOW_CODES[code].severity,
      code,
      message,
      ...(hint === undefined ? {} : { hint }),
      source: source.length > 400 ? source.slice(0, 400) : source,
      length: Math.max(1, Math.min(span.end - span.start, source.length - column + 1)),
    };
    // One fault reached on several ways, such as by each row of a matrix, is one.
    this.#found.set(`${line}:${column}:${code}:${message}`, diagnostic);
    if (diagnostic.severity === 'error') this.#errors += 1;
  }

  position(offset: number): { readonly line: number; readonly column: number } {
    let low = 0;
    let high = this.#lines.length - 1;
    const at = Math.max(0, Math.min(offset, this.text.length));
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#lines[middle] as number) <= at) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: at - (this.#lines[low] as number) + 1 };
  }

  /** How often an error was said: more than before means that there was one. */
  get errors(): number {
    return this.#errors;
  }
  get failed(): boolean {
    return this.#errors > 0;
  }

  /** By position. */
  diagnostics(): readonly Diagnostic[] {
    return [...this.#found.values()].sort((a, b) => a.line - b.line || a.column - b.column);
  }
}

/** The code of a fault in an expression. */
export function codeOf(fault: SyntaxFault | EvalFault): FlowCode {
  if (fault instanceof SyntaxFault) return fault.kind === 'function' ? 'FLOW_FUNCTION' : 'FLOW_SYNTAX';
  return { context: 'FLOW_CONTEXT', attribute: 'FLOW_NAME', value: 'FLOW_EXPRESSION' }[fault.reason] as FlowCode;
}

/** `file:line:column: error: message`, the line with a caret, what to do, the code. */
export function renderDiagnostic(diagnostic: Diagnostic): string {
  const { file, line, column, severity, code, message, hint, source, length } = diagnostic;
  const number = String(line);
  const margin = ' '.repeat(number.length);
  const lead = source.slice(0, column - 1).replace(/[^\t]/g, ' ');
  return [
    `${file}:${line}:${column}: ${severity}: ${message} [${code}]`,
    ` ${number} | ${source}`,
    ` ${margin} | ${lead}${'^'.repeat(length)}`,
    ...(hint === undefined ? [] : [` ${margin} = ${hint}`]),
  ].join('\n');
}
