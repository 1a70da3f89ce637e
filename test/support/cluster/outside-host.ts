import { type ChildProcess, execFileSync, spawn } from 'node:child_process';

/** A host that the machine has a route to, and that is not the machine: what a node takes for the world outside. */
export interface OutsideHost {
  readonly address: string;
  /** A TCP port that answers whoever writes to it with `world` and what was asked. */
  readonly port: number;
  readonly close: () => void;
}

/** Of RFC 2544, for tests of networks: no address of a real machine. */
const MACHINE = '198.18.77.1';
const OUTSIDE = '198.18.77.2';
const PORT = 9009;
const SERVER = `require('node:net').createServer((socket) => {
  socket.on('error', () => socket.destroy()).on('data', () => socket.write('world who?'));
}).listen(${PORT}, '${OUTSIDE}', () => console.log('listening'));`;

/** Starts one, in a network namespace of its own behind the machine. Needs root. */
export async function outsideHost(): Promise<OutsideHost> {
  const name = `delos-world-${process.pid}`;
  const link = `dw${process.pid % 1_000_000}`;
  const ip = (...args: readonly string[]): void => void execFileSync('ip', args, { stdio: 'ignore' });
  let server: ChildProcess | undefined;
  const close = (): void => {
    server?.kill('SIGKILL');
    // The link goes with the namespace that its other end is in.
    ip('netns', 'del', name);
  };
  ip('netns', 'add', name);
  try {
    ip('link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
    ip('addr', 'add', `${MACHINE}/30`, 'dev', link);
    ip('link', 'set', link, 'up');
    ip('-n', name, 'addr', 'add', `${OUTSIDE}/30`, 'dev', 'eth0');
    ip('-n', name, 'link', 'set', 'eth0', 'up');
    ip('-n', name, 'route', 'add', 'default', 'via', MACHINE);
    server = spawn('ip', ['netns', 'exec', name, process.execPath, '-e', SERVER], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise<void>((resolve, reject) => {
      server?.stdout?.once('data', () => resolve());
      server?.once('exit', (code) => reject(new Error(`the host outside ended with ${code}`)));
    });
  } catch (error) {
    close();
    throw error;
  }
  return { address: OUTSIDE, port: PORT, close };
}
