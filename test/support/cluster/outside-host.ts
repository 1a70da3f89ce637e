import { type ChildProcess, execFileSync, spawn } from 'node:child_process';

/** A host that the machine has a route to, and that is not the machine. */
export interface OtherHost {
  readonly address: string;
  /** Gives nft a script in the host's network, and replaces what it was given before; '' takes it all away. */
  readonly filter: (script: string) => void;
  /** Ports of peers whose connections to that port of the host are open. */
  readonly peersOf: (port: number) => readonly string[];
  readonly close: () => void;
}

/** What a node takes for the world outside. */
export interface OutsideHost {
  readonly address: string;
  /** A TCP port that answers whoever writes to it with `world` and what was asked. */
  readonly port: number;
  readonly close: () => void;
}

const PORT = 9009;
const SERVER = `require('node:net').createServer((socket) => {
  socket.on('error', () => socket.destroy()).on('data', () => socket.write('world who?'));
}).listen(${PORT}, () => console.log('listening'));`;

/** Starts one, in a network namespace of its own behind the machine. Needs root. */
export async function outsideHost(): Promise<OutsideHost> {
  return { ...(await otherHost('world', 77, SERVER)), port: PORT };
}

/**
 * Starts a host in a network namespace of its own, one hop from the machine. Needs root.
 * @param kind a few letters; different for each that may be there at once
 * @param net third octet of its network 198.18.0.0/16 (RFC 2544, for tests of networks: no address of a real machine)
 * @param script of its one process, for Node; it prints something when it serves
 */
export async function otherHost(kind: string, net: number, script: string): Promise<OtherHost> {
  const machine = `198.18.${net}.1`;
  const address = `198.18.${net}.2`;
  const name = `delos-${kind}-${process.pid}`;
  const link = `d${kind[0]}${process.pid % 1_000_000}`;
  const ip = (...args: readonly string[]): void => void execFileSync('ip', args, { stdio: 'ignore' });
  const inside = (args: readonly string[], input = ''): string =>
    execFileSync('ip', ['netns', 'exec', name, ...args], { input, encoding: 'utf8' });
  let server: ChildProcess | undefined;
  const close = (): void => {
    server?.kill('SIGKILL');
    // The link goes with the namespace that its other end is in.
    ip('netns', 'del', name);
  };
  ip('netns', 'add', name);
  try {
    ip('link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
    ip('addr', 'add', `${machine}/30`, 'dev', link);
    ip('link', 'set', link, 'up');
    ip('-n', name, 'addr', 'add', `${address}/30`, 'dev', 'eth0');
    ip('-n', name, 'link', 'set', 'eth0', 'up');
    ip('-n', name, 'route', 'add', 'default', 'via', machine);
    server = spawn('ip', ['netns', 'exec', name, process.execPath, '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise<void>((resolve, reject) => {
      server?.stdout?.once('data', () => resolve());
      server?.once('exit', (code) => reject(new Error(`the host ${kind} ended with ${code}`)));
    });
  } catch (error) {
    close();
    throw error;
  }
  return {
    address,
    filter: (rules) => void inside(['nft', '-f', '-'], `flush ruleset\n${rules}`),
    peersOf: (port) =>
      inside(['ss', '-Htn', 'state', 'established', `sport = :${port}`])
        .split('\n')
        .flatMap((line) => /:(\d+)\s*$/.exec(line)?.[1] ?? []),
    close,
  };
}
