import { Agent } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { WebSocket } from 'ws';
import { once } from './load.ts';
import type { Processes } from './processes.ts';
import { USERS } from './world.ts';

/*
 * People who follow logs: each another job, whose collector brings ten lines a second.
 */

const LINES = 10;
const LINE = 'epoch 12 step 4711 loss 0.2317 lr 0.0003 throughput 1834 samples/s';
const SETTLE_MS = 3_000;

export interface Followed {
  readonly followers: number;
  readonly linesPerSecond: number;
  /** Processor time of the control API, per second. */
  readonly cores: number;
  /** The like of the same uploads that nobody follows. */
  readonly coresWithoutFollowers: number;
}

interface RunningJob {
  readonly id: string;
  readonly pod_uid: string;
}

/** @param seconds of each of the two measurements */
export async function followLogs(
  processes: Processes,
  tokens: readonly string[],
  { followers, seconds }: { readonly followers: number; readonly seconds: number },
): Promise<Followed> {
  const jobs = await processes.sql<RunningJob & { owner: string }>(
    `select id, pod_uid, owner from jobs where phase = 'running' order by created_at desc limit $1`,
    [followers],
  );
  if (jobs.length < followers)
    throw new Error(`there are ${jobs.length} jobs that run, and ${followers} were to be followed`);
  const writer = new Writer(processes, jobs);
  const running = writer.run();
  try {
    await sleep(SETTLE_MS);
    const alone = await processorPart(processes, seconds);
    const sockets = jobs.map(({ id, owner }) => {
      const headers = { authorization: `Bearer ${tokens[USERS.indexOf(owner)] ?? ''}` };
      const socket = new WebSocket(`${processes.url.replace('http', 'ws')}/api/v1/jobs/${id}/log_ws`, { headers });
      let bytes = 0;
      socket.on('message', (data: Buffer) => {
        bytes += data.length;
      });
      socket.once('error', (error) => writer.fail(error));
      return { socket, read: () => bytes };
    });
    await sleep(SETTLE_MS);
    const before = sockets.map(({ read }) => read());
    const cores = await processorPart(processes, seconds);
    const silent = sockets.filter(({ read }, at) => read() === before[at]).length;
    if (silent > 0) throw new Error(`${silent} of ${followers} followers have seen no line in ${seconds} s`);
    for (const { socket } of sockets) socket.terminate();
    return { followers, linesPerSecond: followers * LINES, cores, coresWithoutFollowers: alone };
  } finally {
    writer.end();
    await running;
  }
}

async function processorPart(processes: Processes, seconds: number): Promise<number> {
  const [from, began] = [processes.processorSeconds('api'), performance.now()];
  await sleep(seconds * 1000);
  const part = (processes.processorSeconds('api') - from) / ((performance.now() - began) / 1000);
  return Math.round(part * 1000) / 1000;
}

/** Brings lines of all jobs, one piece of each a second, as a collector does. */
class Writer {
  readonly #processes: Processes;
  readonly #jobs: readonly RunningJob[];
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 16 });
  #offset = 0;
  #over = false;
  #failed: unknown;

  constructor(processes: Processes, jobs: readonly RunningJob[]) {
    this.#processes = processes;
    this.#jobs = jobs;
  }

  end(): void {
    this.#over = true;
  }

  fail(error: unknown): void {
    this.#failed ??= error;
    this.#over = true;
  }

  async run(): Promise<void> {
    while (!this.#over) {
      const began = performance.now();
      const at = new Date().toISOString().replace('Z', '000000Z');
      const bytes = Buffer.from(`${at} stdout F ${LINE}\n`.repeat(LINES));
      const piece = gzipSync(bytes, { level: 1 });
      await Promise.all(this.#jobs.map((job) => this.#bring(job, piece))).catch((error: unknown) => this.fail(error));
      this.#offset += bytes.length;
      await sleep(Math.max(0, 1000 - (performance.now() - began)));
    }
    this.#agent.destroy();
    if (this.#failed !== undefined) throw this.#failed;
  }

  async #bring({ id, pod_uid: pod }: RunningJob, piece: Buffer): Promise<void> {
    const query = new URLSearchParams({
      pod,
      attempt: '0',
      offset: String(this.#offset),
      cursor: String(this.#offset),
    });
    await once(this.#processes.agents, this.#agent, {
      method: 'POST',
      path: `/logs/${id}?${query.toString()}`,
      headers: {
        authorization: `Bearer ${this.#processes.collectorToken}`,
        'content-type': 'application/octet-stream',
      },
      body: piece,
    });
  }
}
