import { ERROR_CODES, type ErrorCode } from './error-codes.ts';

/** Where in the user's input an error lies. Lines and columns count from 1. */
export interface Where {
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
  /** Dotted path of the field, e.g. `presets[0].cpu`. */
  readonly field?: string;
}

export interface DelosErrorOptions {
  readonly where?: Where;
  /** The next action, as an instruction: what the person should do or type. */
  readonly hint?: string;
  /** Facts for machines; never secrets. */
  readonly data?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/**
 * The one error base of every room. The message says what happened and what was expected; `where` says in which
 * file or field; `hint` says what to do. `code` is stable and has a page in docs/errors.
 */
export class DelosError extends Error {
  override readonly name = 'DelosError';
  readonly code: ErrorCode;
  readonly where: Where | undefined;
  readonly hint: string | undefined;
  readonly data: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: DelosErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.where = options.where;
    this.hint = options.hint;
    this.data = options.data ?? {};
  }

  /** The process exit code that this error means. */
  get exitCode(): number {
    return ERROR_CODES[this.code].exitCode;
  }

  /** At most five lines: place and message, then what to do, then the page that explains the code. */
  render(): string {
    const place = renderWhere(this.where);
    const lines = [`error: ${place === '' ? '' : `${place}: `}${this.message}`];
    if (this.hint !== undefined) lines.push(`  ${this.hint}`);
    lines.push(`  ${this.code}: docs/errors/${this.code}.md`);
    return lines
      .flatMap((line) => line.split('\n'))
      .slice(0, 5)
      .join('\n');
  }

  toJSON(): Readonly<Record<string, unknown>> {
    return { code: this.code, message: this.message, where: this.where, hint: this.hint, data: this.data };
  }
}

export function renderWhere(where: Where | undefined): string {
  if (where === undefined) return '';
  const position = [where.file, where.line, where.column].filter((part) => part !== undefined).join(':');
  return [position, where.field].filter((part) => part !== undefined && part !== '').join(' ');
}

/** True for a DelosError, of one code if one is given. */
export function isDelosError(error: unknown, code?: ErrorCode): error is DelosError {
  return error instanceof DelosError && (code === undefined || error.code === code);
}
