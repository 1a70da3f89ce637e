import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { CLIENTS, type PinnedWheel } from '@delos/artifacts';
import { pythonClient } from './python-client.ts';

const COVERAGE = { project: 'coverage', version: '7.17.4' };

/** The workspace that the authority says its flows are in. */
export const AUTHORITY_WORKSPACE = import.meta.dirname;

/** The installed apolo-flow, asked over one process that stays. */
export interface Authority {
  /** @throws Error with Python's traceback where the question itself failed */
  ask<T>(op: string, question: Readonly<Record<string, unknown>>): Promise<T>;
  close(): Promise<void>;
}

/** What the environment with apolo-flow has. */
export const FLOW_WHEELS: readonly PinnedWheel[] = [CLIENTS.flow, COVERAGE];

/** Python with apolo-flow. */
export async function authorityPython(): Promise<string> {
  return join(await pythonClient(FLOW_WHEELS), 'bin/python3');
}

/** Starts the authority; `wrapper` stands before the script, such as coverage's own command. */
export async function startAuthority(
  options: { readonly wrapper?: readonly string[]; readonly cwd?: string } = {},
): Promise<Authority> {
  const python = await authorityPython();
  const script = join(import.meta.dirname, 'authority.py');
  const env = {
    ...process.env,
    PYTHONHASHSEED: '0',
    PYTHONDONTWRITEBYTECODE: '1',
    PYTHONWARNINGS: 'ignore',
    LC_ALL: 'C.UTF-8',
  };
  const child = spawn(python, [...(options.wrapper ?? []), script], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  return new Process(child);
}

class Process implements Authority {
  readonly #child: ChildProcess;
  readonly #lines: Interface;
  readonly #waiting: { resolve: (line: string) => void; reject: (error: Error) => void }[] = [];
  readonly #end: Promise<void>;
  #errors = '';

  constructor(child: ChildProcess) {
    this.#child = child;
    if (child.stdout === null || child.stderr === null) throw new Error('no pipes to the authority');
    this.#lines = createInterface({ input: child.stdout });
    this.#lines.on('line', (line) => this.#waiting.shift()?.resolve(line));
    child.stderr.on('data', (part: Buffer) => {
      this.#errors = (this.#errors + part.toString()).slice(-4000);
    });
    this.#end = new Promise((resolve) => {
      child.once('close', () => {
        for (const { reject } of this.#waiting.splice(0)) reject(new Error(`the authority ended: ${this.#errors}`));
        resolve();
      });
    });
  }

  async ask<T>(op: string, question: Readonly<Record<string, unknown>>): Promise<T> {
    const line = await new Promise<string>((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#child.stdin?.write(`${JSON.stringify({ op, ...question })}\n`);
    });
    const { answer, failure } = JSON.parse(line) as { answer?: T; failure?: string };
    if (failure !== undefined) throw new Error(failure);
    return answer as T;
  }

  async close(): Promise<void> {
    this.#child.stdin?.end();
    await this.#end;
  }
}
