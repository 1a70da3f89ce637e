import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import type { PartSpec } from './parts.ts';
import { probe } from './readiness.ts';
import { rotate } from './rotate.ts';

/*
 * States of a part: waiting (for others to be ready) → starting → ready ⇄ unready, and from each back to `waiting`
 * through a pause when its process ends. The pause doubles from 0.2 s to 10 s and falls back after a minute of service.
 */
const PAUSE_MIN = 200;
const PAUSE_MAX = 10_000;
const STEADY = 60_000;
const PROBE_STARTING = 100;
const PROBE_READY = 2000;
/** How long a process may fail its probe before it is taken to hang and ended, so that it starts anew. */
const HANGING = 120_000;

export interface PartStatus {
  readonly name: string;
  readonly state: 'waiting' | 'starting' | 'ready' | 'unready';
  readonly pid: number | undefined;
  /** Ends so far since the supervisor began. */
  readonly restarts: number;
  /** What it last said or how it ended; empty when all is well. */
  readonly message: string;
}

class Part {
  readonly spec: PartSpec;
  readonly #log: string;
  readonly #ca: Buffer;
  readonly #changed: () => void;
  #child: ChildProcess | undefined;
  #state: PartStatus['state'] = 'waiting';
  #message = '';
  #restarts = 0;
  #failures = 0;
  #pause = PAUSE_MIN;
  #startedAt = 0;
  #notBefore = 0;
  #probing = false;
  #probedAt = 0;

  constructor(spec: PartSpec, log: string, ca: Buffer, changed: () => void) {
    this.spec = spec;
    this.#log = log;
    this.#ca = ca;
    this.#changed = changed;
  }

  get ready(): boolean {
    return this.#state === 'ready';
  }

  status(): PartStatus {
    const { spec } = this;
    const pid = this.#child?.pid;
    return { name: spec.name, state: this.#state, pid, restarts: this.#restarts, message: this.#message };
  }

  /** Takes the next step that is due. */
  tick(isReady: (name: string) => boolean): void {
    const now = performance.now();
    if (this.#child === undefined) {
      if (now < this.#notBefore) return;
      const missing = this.spec.after.filter((name) => !isReady(name));
      // A part that already ran does not wait for the others again: they may be waiting for it.
      if (missing.length > 0 && this.#restarts === 0) this.#set('waiting', `waits for ${missing.join(', ')}`);
      else this.#start();
      return;
    }
    const interval = this.#state === 'ready' ? PROBE_READY : PROBE_STARTING;
    if (!this.#probing && now - this.#probedAt >= interval) void this.#probe();
  }

  #start(): void {
    rotate(this.#log);
    const out = openLog(this.#log);
    // Dies with this process, whatever ends it: a part never outlives its supervisor.
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', this.spec.file, ...this.spec.args], {
      stdio: ['ignore', out, out],
      env: { PATH: process.env.PATH, HOME: '/root', ...this.spec.env },
      cwd: '/',
    });
    if (out !== 'ignore') closeSync(out);
    this.#child = child;
    this.#startedAt = performance.now();
    this.#failures = 0;
    this.#set('starting', 'starting');
    child.on('error', (error) => this.#ended(child, error.message));
    child.on('exit', (code, signal) =>
      this.#ended(child, signal === null ? `ended with ${code}` : `ended by ${signal}`),
    );
  }

  #ended(child: ChildProcess, how: string): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    this.#restarts++;
    const lived = performance.now() - this.#startedAt;
    this.#pause = lived > STEADY ? PAUSE_MIN : Math.min(this.#pause * 2, PAUSE_MAX);
    this.#notBefore = performance.now() + this.#pause;
    this.#set('waiting', `${how} after ${(lived / 1000).toFixed(1)} s`);
  }

  async #probe(): Promise<void> {
    const child = this.#child;
    this.#probing = true;
    const failure = await probe(this.spec.ready, this.#ca);
    this.#probing = false;
    this.#probedAt = performance.now();
    if (this.#child !== child || child === undefined) return;
    if (failure === undefined) {
      this.#failures = 0;
      this.#set('ready', '');
      return;
    }
    this.#failures++;
    this.#set(this.#state === 'starting' ? 'starting' : 'unready', failure);
    if (this.#failures * PROBE_STARTING > HANGING) child.kill('SIGKILL');
  }

  #set(state: PartStatus['state'], message: string): void {
    if (this.#state === state && this.#message === message) return;
    this.#state = state;
    this.#message = message;
    this.#changed();
  }

  rotateLog(): void {
    rotate(this.#log);
  }
}

/** A part runs without its log where the disk does not take one. */
function openLog(path: string): number | 'ignore' {
  try {
    return openSync(path, 'a', 0o600);
  } catch {
    return 'ignore';
  }
}

export interface Supervisor {
  status(): readonly PartStatus[];
  isReady(name: string): boolean;
  stop(): void;
}

/** Keeps the parts running until the process ends. `changed` is called after each change of a part's state. */
export function supervise(parts: readonly PartSpec[], logs: string, ca: Buffer, changed: () => void): Supervisor {
  mkdirSync(logs, { recursive: true });
  const all = parts.map((spec) => new Part(spec, join(logs, `${spec.name}.log`), ca, changed));
  const isReady = (name: string) => all.find((part) => part.spec.name === name)?.ready ?? false;
  const ticking = setInterval(() => {
    for (const part of all) part.tick(isReady);
  }, 50);
  const rotating = setInterval(() => {
    for (const part of all) part.rotateLog();
  }, 10_000);
  return {
    status: () => all.map((part) => part.status()),
    isReady,
    stop() {
      clearInterval(ticking);
      clearInterval(rotating);
    },
  };
}
