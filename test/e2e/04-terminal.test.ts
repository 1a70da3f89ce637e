import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ApoloClient } from '../../peers/src/apolo.ts';
import type { RunningCommand } from '../../peers/src/command.ts';
import { loggedIn } from '../support/instance.ts';
import { type Api, api, IMAGE } from '../support/service/api.ts';
import { until } from '../support/until.ts';

describe('at a terminal', () => {
  let ann: ApoloClient;
  let platform: Api;
  beforeAll(async () => {
    ann = await loggedIn('ann');
    platform = await api('ann');
  });
  afterAll(() => ann?.close());

  const open = (...args: string[]): RunningCommand => ann.startAtTerminal(args, { env: { TERM: 'xterm' } });
  const shows = (screen: RunningCommand, text: string | RegExp): Promise<true> =>
    until(`the terminal shows ${text}`, 90, (last) => {
      last(screen.stdout().slice(-500));
      return screen.stdout().search(text) < 0 ? undefined : true;
    });
  const type = (screen: RunningCommand, keys: string): void => void screen.child.stdin?.write(keys);
  /** The shell's prompt, by pressing enter as the client advises: the first was printed before anybody was there. */
  const ready = (screen: RunningCommand): Promise<true> =>
    until(
      'the terminal shows a prompt',
      90,
      (last) => {
        last(screen.stdout().slice(-500));
        if (/[#$] $/.test(screen.stdout())) return true;
        type(screen, '\r');
        return undefined;
      },
      1000,
    );
  /** A command whose output is not the line that was typed. */
  const sum = (text: string): string => `echo $((20 + 22)) ${text}\r`;

  test('run gives a shell with a screen of its own, and ends as it ends', async () => {
    const shell = open('run', '-s', 'tiny', IMAGE, '--', 'sh');
    await ready(shell);
    type(shell, sum('typed'));
    await shows(shell, '42 typed');
    type(shell, 'tty; exit 5\r');
    await shows(shell, '/dev/pts/');
    expect((await shell.end).code).toBe(5);
  });

  test('run is left by Ctrl-P Ctrl-Q, its job goes on, and attach comes back to it', async () => {
    const shell = open('run', '-s', 'tiny', '-n', 'left-alone', IMAGE, '--', 'sh');
    await ready(shell);
    type(shell, 'kept=still\r');
    type(shell, sum('before'));
    await shows(shell, '42 before');
    type(shell, '\x10\x11');
    expect((await shell.end).code).toBe(0);
    expect((await platform.job('left-alone')).status).toBe('running');

    const again = open('attach', 'left-alone');
    await ready(again);
    type(again, sum('$kept here'));
    await shows(again, '42 still here');
    type(again, 'exit\r');
    expect((await again.end).code).toBe(0);
    expect((await platform.ended((await platform.job('left-alone')).id)).status).toBe('succeeded');
  });

  test('exec gives a shell beside what runs', async () => {
    const job = await platform.create({ command: 'sleep 3000' });
    await platform.running(job.id);
    const shell = open('exec', job.id, '--', 'sh');
    await ready(shell);
    type(shell, sum('beside'));
    await shows(shell, '42 beside');
    type(shell, 'exit 6\r');
    expect((await shell.end).code).toBe(6);
    expect((await platform.job(job.id)).status).toBe('running');
    await ann.ok(['kill', job.id]);
  });
});
