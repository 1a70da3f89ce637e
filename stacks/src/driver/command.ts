import { spawn } from 'node:child_process';

export interface CommandOptions {
  /** Where the command is; a bare name is looked for on PATH. */
  readonly command: string;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Goes to standard input, which no other process can read; arguments are there for all to see. */
  readonly input?: string;
  /** It is ended after this long. @default no limit */
  readonly limitMs?: number;
  /** It is ended once it says this on stderr. */
  readonly giveUpOn?: RegExp;
}

/** Runs one pulumi command without questions. @throws Error with what it said on stderr */
export function runPulumi(args: readonly string[], options: CommandOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(options.command, [...args, '--non-interactive', '--color', 'never'], {
      cwd: options.cwd,
      env: options.env,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => {
      err.push(chunk);
      if (options.giveUpOn?.test(chunk.toString()) === true) child.kill('SIGKILL');
    });
    const limit = options.limitMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), options.limitMs);
    // A command that ends early leaves the pipe closed: its exit code tells.
    child.stdin.on('error', () => undefined);
    child.once('error', reject);
    child.once('close', (code) => {
      clearTimeout(limit);
      if (code === 0) resolve(Buffer.concat(out).toString());
      else
        reject(
          new Error(
            `pulumi ${args.slice(0, 2).join(' ')}: ${Buffer.concat([...err, ...out])
              .toString()
              .trim()}`,
          ),
        );
    });
    child.stdin.end(options.input ?? '');
  });
}
