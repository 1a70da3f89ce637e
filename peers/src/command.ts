import { type ChildProcess, spawn } from 'node:child_process';

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  readonly input?: string;
  /** Seconds; the command is killed after it and its code is 124. */
  readonly timeout?: number;
}

/** A command that was started: its output so far, and its end. */
export interface RunningCommand {
  readonly child: ChildProcess;
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly end: Promise<CommandResult>;
}

export function start(argv: readonly string[], options: CommandOptions = {}): RunningCommand {
  const [command = '', ...args] = argv;
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: options.env === undefined ? process.env : clean(options.env),
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (part: Buffer) => out.push(part));
  child.stderr.on('data', (part: Buffer) => err.push(part));
  child.stdin.on('error', () => undefined);
  // Left open without input: a client that waits for a line must not read an end.
  if (options.input !== undefined) child.stdin.end(options.input);
  let late = false;
  const timer = setTimeout(
    () => {
      late = true;
      child.kill('SIGKILL');
    },
    (options.timeout ?? 120) * 1000,
  );
  const text = (parts: readonly Buffer[]): string => Buffer.concat(parts).toString('utf8');
  const end = new Promise<CommandResult>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      resolve({
        code: late ? 124 : (code ?? (signal === 'SIGINT' ? 130 : 137)),
        stdout: text(out),
        stderr: `${text(err)}${late ? `\n(killed after ${options.timeout ?? 120} s: ${argv.join(' ')})` : ''}`,
      });
    });
  });
  // A test that only looks at the output must not die of the end.
  end.catch(() => undefined);
  return { child, stdout: () => text(out), stderr: () => text(err), end };
}

/** Runs a command to its end with an empty stdin. */
export function execute(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  return start(argv, { input: '', ...options }).end;
}

/** @throws Error with both streams when the command does not end with 0 */
export async function expectOk(run: Promise<CommandResult>): Promise<string> {
  const { code, stdout, stderr } = await run;
  if (code !== 0) throw new Error(`exit code ${code}\n--- stdout\n${stdout}\n--- stderr\n${stderr}`);
  return stdout;
}

function clean(env: Readonly<Record<string, string | undefined>>): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined));
}
