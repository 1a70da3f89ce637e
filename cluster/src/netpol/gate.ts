import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { z } from 'zod';

/** A request is one line of JSON; so is its answer, after which the connection ends. */
const MAX_LINE = 64 * 1024;
/** Longer than any answer takes. */
const IDLE_MS = 60_000;

const sandbox = {
  container: z.string().min(1),
  namespace: z.string().min(1),
  name: z.string().min(1),
  /** Not all runtimes tell it. */
  uid: z.string().default(''),
  ip: z.ipv4(),
};

export const gateRequest = z.discriminatedUnion('command', [
  z.object({ command: z.literal('add'), ...sandbox }),
  z.object({ command: z.literal('check'), ...sandbox }),
  z.object({ command: z.literal('del'), container: z.string().min(1) }),
  z.object({ command: z.literal('status') }),
]);
export type GateRequest = z.infer<typeof gateRequest>;

export type GateAnswer =
  | { readonly ok: true; readonly status?: unknown }
  | { readonly ok: false; readonly error: string };

/** Listens on a unix socket that only root may open. A socket that a killed process left is replaced. */
export async function serveGate(path: string, answer: (request: GateRequest) => Promise<GateAnswer>): Promise<Server> {
  rmSync(path, { force: true });
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => socket.destroy()).setTimeout(IDLE_MS, () => socket.destroy());
    void serve(socket, answer);
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject).listen(path, resolve);
  await promise;
  chmodSync(path, 0o600);
  return server;
}

async function serve(socket: Socket, answer: (request: GateRequest) => Promise<GateAnswer>): Promise<void> {
  let line = '';
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    line += chunk;
    if (line.length > MAX_LINE) socket.destroy();
    if (line.includes('\n')) resolve();
  });
  socket.once('close', resolve);
  await promise;
  if (!line.includes('\n')) return;
  let reply: GateAnswer;
  try {
    const parsed = gateRequest.safeParse(JSON.parse(line));
    reply = parsed.success ? await answer(parsed.data) : { ok: false, error: z.prettifyError(parsed.error) };
  } catch (error) {
    reply = { ok: false, error: error instanceof Error ? error.message : String(error) };
  }
  socket.end(`${JSON.stringify(reply)}\n`);
}
