import type { WorkloadInput } from './workload.ts';

/*
 * Logs of parallel computers in the Standard Workload Format, version 2.2 (Chapin et al., "Benchmarks and Standards for
 * the Evaluation of Parallel Job Schedulers", JSSPP 1999; https://www.cs.huji.ac.il/labs/parallel/workload/swf.html):
 * header lines begin with `;`, each job is one line of 18 numbers, −1 where something is not known.
 */

/** What a line of the log does not keep to. */
export interface SwfFault {
  readonly line: number;
  readonly field: string;
  readonly message: string;
  readonly hint: string;
}

export interface SwfLog {
  readonly workload: WorkloadInput;
  /** Jobs left out: they never ran (cancelled while they waited), or ask for more than the machine has. */
  readonly skipped: number;
}

const FIELDS = [
  'job number',
  'submit time',
  'wait time',
  'run time',
  'allocated processors',
  'average CPU time',
  'used memory',
  'requested processors',
  'requested time',
  'requested memory',
  'status',
  'user',
  'group',
  'executable',
  'queue',
  'partition',
  'preceding job',
  'think time',
] as const;

/** Status of lines that tell the parts of a job's run one by one, below the line that tells all of it. */
const PARTS: ReadonlySet<number> = new Set([2, 3, 4]);

/**
 * A log as a workload: processors are cores, a job that asks for more than a node has is a gang of whole nodes, groups are
 * projects and users their users. The machine is as the header says (MaxNodes, MaxProcs). Times count from the first submission:
 * logs count them from their own start, from 1970, or from any other instant. Which job went before another, and
 * the think time between them, are left out.
 */
export function parseSwf(text: string, title: string): SwfLog | SwfFault {
  const log = new SwfReader();
  for (const line of text.split('\n')) {
    const fault = log.read(line);
    if (fault !== undefined) return fault;
  }
  return log.end(title);
}

/** The same of a log that comes line by line, so that nobody must hold all of its text. */
export class SwfReader {
  readonly #header = new Map<string, string>();
  readonly #rows: (readonly number[])[] = [];
  readonly #seen = new Map<number, number>();
  #line = 0;

  /** The next line; what it does not keep to, if anything. */
  read(raw: string): SwfFault | undefined {
    this.#line += 1;
    const content = raw.trim();
    if (content === '') return undefined;
    if (!content.startsWith(';')) return this.#job(content.split(/\s+/));
    const pair = /^;\s*([A-Za-z]+):\s*(.*)$/.exec(content);
    if (pair?.[1] !== undefined) this.#header.set(pair[1], pair[2] ?? '');
    return undefined;
  }

  #job(cells: readonly string[]): SwfFault | undefined {
    const line = this.#line;
    if (cells.length !== FIELDS.length) {
      const field = FIELDS[Math.min(cells.length, FIELDS.length - 1)] ?? '';
      const hint = 'each job is one line of 18 numbers, -1 where something is not known';
      return { line, field, message: `expected ${FIELDS.length} columns, found ${cells.length}`, hint };
    }
    const values = cells.map(Number);
    const bad = values.findIndex((value, column) => !Number.isFinite(value) || value < (column === 1 ? 0 : -1));
    if (bad >= 0) {
      const hint = bad === 1 ? 'seconds from any fixed instant, 0 or more' : 'a number, 0 or more, or -1 for not known';
      return { line, field: FIELDS[bad] ?? '', message: `${JSON.stringify(cells[bad])} is not accepted`, hint };
    }
    const [number = 0] = values;
    const before = this.#seen.get(number);
    if (before !== undefined) {
      if (PARTS.has(values[10] ?? -1)) return undefined;
      const hint = 'give each job a number of its own; further lines of one job have status 2, 3 or 4';
      return { line, field: FIELDS[0], message: `job ${number} is there already, in line ${before}`, hint };
    }
    this.#seen.set(number, line);
    this.#rows.push(values);
    return undefined;
  }

  /** All lines are read. */
  end(title: string): SwfLog | SwfFault {
    const header = this.#header;
    const procs = Number.parseInt(header.get('MaxProcs') ?? header.get('MaxNodes') ?? '', 10);
    const nodes = Number.parseInt(header.get('MaxNodes') ?? '1', 10);
    if (!(procs >= 1) || !(nodes >= 1)) {
      const hint = 'add header lines such as `; MaxNodes: 128` and `; MaxProcs: 1024`';
      return { line: 1, field: 'MaxProcs', message: 'the header does not say how large the machine was', hint };
    }
    return workloadOf(this.#rows, { title, nodes, perNode: Math.max(1, Math.floor(procs / nodes)) });
  }
}

const RUN_TIME = FIELDS.indexOf('run time');
const ALLOCATED = FIELDS.indexOf('allocated processors');
const REQUESTED = FIELDS.indexOf('requested processors');

/** The processors that a job got, or those that it asked for where the log does not say what it got. */
function processorsOf(row: readonly number[]): number {
  const allocated = row[ALLOCATED] ?? -1;
  return allocated > 0 ? allocated : (row[REQUESTED] ?? -1);
}

const inRange = (value: number, least: number, most: number): boolean => value >= least && value <= most;

function workloadOf(
  rows: readonly (readonly number[])[],
  machine: { readonly title: string; readonly nodes: number; readonly perNode: number },
): SwfLog {
  const { title, nodes, perNode } = machine;
  const sizes = new Set<number>();
  const queues = new Map<string, string>();
  const jobs: NonNullable<WorkloadInput['jobs']> = [];
  const kept = rows.filter((row) => (row[RUN_TIME] ?? -1) >= 0 && inRange(processorsOf(row), 1, nodes * perNode));
  const start = kept.reduce((first, [, submit = 0]) => Math.min(first, submit), Infinity);
  for (const row of kept) {
    const [number = 0, submit = 0, , run = 0, , , , , time = -1] = row;
    const processors = processorsOf(row);
    const size = Math.min(processors, perNode);
    sizes.add(size);
    const project = `log/group-${Math.max(0, row[12] ?? 0)}`;
    const queue = `${project}/user-${Math.max(0, row[11] ?? 0)}`;
    queues.set(queue, project);
    const runMs = Math.max(1, Math.round(run * 1000));
    jobs.push({
      id: String(number),
      at: Math.round((submit - start) * 1000),
      queue,
      groups: [{ preset: `cores-${size}`, count: Math.ceil(processors / perNode) }],
      runMs,
      // A run that was longer than it asked for was let go on: its life-span is what it took.
      ...(time > 0 ? { lifeSpanMs: Math.max(runMs, Math.round(time * 1000)) } : {}),
    });
  }
  const projects = [...new Set(queues.values())];
  return {
    skipped: rows.length - kept.length,
    workload: {
      title,
      pools: [{ name: 'machine' }],
      nodes: [
        { name: 'node', pool: 'machine', replicas: nodes, milliCpu: perNode * 1000, memoryMiB: 0, pods: perNode },
      ],
      presets: [...sizes].sort((a, b) => a - b).map((n) => ({ name: `cores-${n}`, milliCpu: n * 1000, memoryMiB: 0 })),
      scopes: [
        { name: 'log', kind: 'organization' },
        ...projects.map((name) => ({ name, parent: 'log' })),
        ...[...queues].map(([name, parent]) => ({ name, parent, kind: 'user' as const })),
      ],
      jobs,
    },
  };
}
