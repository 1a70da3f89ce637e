import { chmod, chown, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CLIENTS, type PinnedWheel } from '@delos/artifacts';
import { type CommandOptions, type CommandResult, execute, expectOk, type RunningCommand, start } from './command.ts';
import { type LoopbackUser, loopbackUser } from './loopback-user.ts';
import { exists, pythonClient } from './python-client.ts';

/** The official client, as one person on one machine has it: an own user id, home and configuration. */
export interface ApoloClient {
  readonly user: LoopbackUser;
  readonly home: string;
  /** Runs `apolo ARGS` to its end. */
  run(args: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  /** Runs it and gives stdout. @throws Error when the exit code is not 0 */
  ok(args: readonly string[], options?: CommandOptions): Promise<string>;
  start(args: readonly string[], options?: CommandOptions): RunningCommand;
  /** The same at a terminal, for what asks a person: its screen is stdout, what is written to stdin are keys. */
  startAtTerminal(args: readonly string[], options?: CommandOptions): RunningCommand;
  /** Another program of its environment: `apolo-flow`. */
  runOther(program: string, args: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  startOther(program: string, args: readonly string[], options?: CommandOptions): RunningCommand;
  /** Runs `apolo-extras ARGS` to its end. Needs a client with extras. */
  extras(args: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  /** The client's Python with the SDK importable. */
  python(code: string, options?: CommandOptions): Promise<CommandResult>;
  /** File to which the client's "browser" writes the URL that it is told to open. */
  readonly browserUrl: string;
  close(): Promise<void>;
}

/**
 * A client that can reach loopback and nothing else. Needs root, as the tests do.
 * @param more `extras`: it has the commands of apolo-extras as well; `wheels`: what its environment has instead
 */
export async function apoloClient(
  more: { readonly extras?: boolean; readonly wheels?: readonly PinnedWheel[] } = {},
): Promise<ApoloClient> {
  const usual = [CLIENTS.cli, CLIENTS.sdk, ...(more.extras === true ? [CLIENTS.extras] : [])];
  const venv = await pythonClient(more.wheels ?? usual);
  const base = (
    await expectOk(execute([join(venv, 'bin/python3'), '-c', 'import sys; print(sys.base_prefix)']))
  ).trim();
  const user = await loopbackUser([venv, base]);
  const home = await mkdtemp(join(tmpdir(), 'delos-client-'));
  const browser = join(home, 'browser');
  const browserUrl = join(home, 'opened-url');
  await writeFile(browser, `#!/bin/sh\nprintf %s "$1" >${browserUrl}.new && mv ${browserUrl}.new ${browserUrl}\n`);
  await chmod(browser, 0o755);
  await chown(home, user.uid, user.uid);
  const env = {
    HOME: home,
    PATH: '/usr/bin:/bin',
    LANG: 'C.UTF-8',
    COLUMNS: '250',
    BROWSER: `${browser} %s`,
    APOLO_CONFIG: join(home, '.apolo'),
  };
  const command = (args: readonly string[]): string[] => [
    ...[join(venv, 'bin/python3'), join(venv, 'bin/apolo')],
    ...[...GLOBAL_OPTIONS, ...args],
  ];
  const argv = (args: readonly string[]): string[] => user.argv(command(args));
  const with_ = (options: CommandOptions): CommandOptions => ({
    cwd: home,
    ...options,
    env: { ...env, ...options.env },
  });
  // It starts the client by its name, and gives it no options of ours.
  const other = (program: string, args: readonly string[]): string[] =>
    user.argv([join(venv, 'bin/python3'), join(venv, 'bin', program), ...args]);
  const withPath = (options: CommandOptions): CommandOptions =>
    with_({
      ...options,
      env: { PATH: `${venv}/bin:${env.PATH}`, NEURO_CLI_DISABLE_PYPI_VERSION_CHECK: '1', ...options.env },
    });
  const run = (args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> =>
    execute(argv(args), with_(options));
  return {
    user,
    home,
    browserUrl,
    run,
    ok: (args, options = {}) => expectOk(run(args, options)),
    start: (args, options = {}) => start(argv(args), with_(options)),
    startAtTerminal: (args, options = {}) =>
      start(user.argv([join(venv, 'bin/python3'), '-c', TERMINAL, ...command(args)]), with_(options)),
    runOther: (program, args, options = {}) => execute(other(program, args), withPath(options)),
    startOther: (program, args, options = {}) => start(other(program, args), withPath(options)),
    extras: (args, options = {}) =>
      execute(
        user.argv([join(venv, 'bin/python3'), join(venv, 'bin/apolo-extras'), ...args]),
        // It runs `apolo` for some of its work.
        with_({ ...options, env: { PATH: `${join(venv, 'bin')}:/usr/bin:/bin`, ...options.env } }),
      ),
    python: (code, options = {}) => execute(user.argv([join(venv, 'bin/python3'), '-c', code]), with_(options)),
    close: async () => {
      await user.close();
      await rm(home, { recursive: true, force: true });
    },
  };
}

const GLOBAL_OPTIONS = ['--disable-pypi-version-check', '--skip-stats', '--color=no'];

/** Runs a command at a pseudo-terminal whose other side are our streams. */
const TERMINAL = 'import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))';

/** The URL that the client opened in its browser. */
export async function tryOpenedUrl(client: ApoloClient): Promise<string | undefined> {
  return (await exists(client.browserUrl)) ? await readFile(client.browserUrl, 'utf8') : undefined;
}
