import { mkdirSync, readdirSync, readFileSync, readlinkSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Assignment } from './addresses.ts';

const schema = z.object({
  container: z.string().regex(/^[A-Za-z0-9_.-]{1,128}$/),
  namespace: z.string(),
  name: z.string(),
  uid: z.string(),
  ip: z.ipv4(),
  order: z.number(),
  /** The network namespace it was made in: an address means nothing in another. */
  network: z.string(),
});

/**
 * What the gate said, kept in one small file a sandbox, so that a restarted agent knows Pods whose address the API has
 * not heard of yet. Written before it counts.
 */
export class Assignments {
  readonly #folder: string;
  readonly #network: string;
  readonly #byContainer = new Map<string, Assignment>();
  #order = 0;

  constructor(folder: string) {
    this.#folder = folder;
    this.#network = readlinkSync('/proc/self/ns/net');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const file of readdirSync(folder)) this.#load(join(folder, file));
  }

  values(): readonly Assignment[] {
    return [...this.#byContainer.values()];
  }

  get(container: string): Assignment | undefined {
    return this.#byContainer.get(container);
  }

  put(found: Omit<Assignment, 'order'>): void {
    this.#order++;
    const assignment = { ...found, order: this.#order };
    const path = this.#path(schema.shape.container.parse(found.container));
    writeFileSync(`${path}.new`, JSON.stringify({ ...assignment, network: this.#network }), { mode: 0o600 });
    renameSync(`${path}.new`, path);
    this.#byContainer.set(found.container, assignment);
  }

  delete(container: string): void {
    if (!this.#byContainer.delete(container)) return;
    rmSync(this.#path(container), { force: true });
  }

  #load(path: string): void {
    const parsed = schema.safeParse(tryJson(path));
    if (!parsed.success || parsed.data.network !== this.#network || path !== this.#path(parsed.data.container)) {
      rmSync(path, { force: true, recursive: true });
      return;
    }
    const { network: _, ...assignment } = parsed.data;
    this.#byContainer.set(assignment.container, assignment);
    this.#order = Math.max(this.#order, assignment.order);
  }

  #path(container: string): string {
    return join(this.#folder, `${container}.json`);
  }
}

function tryJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}
