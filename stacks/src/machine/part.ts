import { createHash } from 'node:crypto';
import { z } from 'zod';

/*
 * What a machine with systemd shall have, as data. A *part* is what belongs together: files, trees and units. Everything in it is
 * root's. Data that its units write is no part of it: it is only named, so that it can be deleted where somebody asks for that.
 */

const path = z.string().regex(/^(\/[A-Za-z0-9@._-]+)+$/, 'expected an absolute path of plain letters');
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const unitName = z.string().regex(/^[a-z][a-z0-9-]*\.service$/);

/** What is in a file: a text, or a file of this machine. */
const content = z.union([z.object({ text: z.string() }), z.object({ source: z.string(), sha256 })]);
export type Content = z.infer<typeof content>;

const file = z.object({ mode: z.number().int().min(0).max(0o777), content });

const tree = z.object({
  /** Folder of this machine. */
  source: z.string(),
  /** Of all its files: see {@link treeDigest}. */
  digest: sha256,
});

const unit = z.object({
  /** Says of a running process by which unit and files it was started: see {@link withStamps}. */
  stamp: z.string(),
  /** Files and trees of the part that it reads at its start. */
  reads: z.array(path),
  /** A command of the shell that ends with 0 as long as what the unit made is there. @default nothing is asked */
  check: z.string().optional(),
  /** Table of nftables that the unit loads. Nobody may be locked out by it: see confirmScript. */
  guards: z.string().optional(),
});
export type WantedUnit = z.infer<typeof unit>;

/** A command that the machine must have, and the package of Debian that it is in. */
const need = z.object({ command: z.string().regex(/^[a-z0-9-]+$/), package: z.string() });

export const part = z.object({
  name: z.string().regex(/^[a-z][a-z0-9-]*$/),
  needs: z.array(need).default([]),
  files: z.record(path, file),
  trees: z.record(path, tree).default({}),
  /** In the order in which they are started. */
  units: z.record(unitName, unit),
  /** Folders with data. */
  data: z.array(path).default([]),
});
export type Part = z.infer<typeof part>;

/** A unit and what it reads at its start: files and trees of its part. */
export interface UnitFile extends Omit<WantedUnit, 'stamp' | 'reads'> {
  readonly name: string;
  /** Without its stamp. */
  readonly text: string;
  readonly reads: readonly string[];
}

export interface PartProps {
  readonly name: string;
  readonly needs?: Part['needs'];
  readonly files: Part['files'];
  readonly trees?: Part['trees'];
  readonly units: readonly UnitFile[];
  readonly data?: readonly string[];
}

/** Folder of units. */
export const UNITS = '/etc/systemd/system';
/** What is known of the running system; gone after a start of the machine. */
export const RUN = '/run/delos-machine';
/** What is known of the parts. */
export const RECORDS = '/var/lib/delos-machine';

/**
 * A part with its units. Each unit notes at its start what it was started with: a process that runs with former files so is told
 * from one that needs no restart, whenever whoever changed the files was interrupted.
 */
export function withStamps({ units, needs = [], trees = {}, data = [], ...rest }: PartProps): Part {
  const files = { ...rest.files };
  const wanted: Record<string, WantedUnit> = {};
  for (const { name, text, reads, check, guards } of units) {
    const read = reads.map((one) => {
      const known = rest.files[one] === undefined ? trees[one]?.digest : digestOf(rest.files[one].content);
      if (known === undefined) throw new Error(`${name} reads ${one}, which is not in its part`);
      return `${one} ${known}`;
    });
    const stamp = sha256Of([text, ...read].join('\n')).slice(0, 32);
    const note = `+/bin/sh -c 'mkdir -p ${RUN} && echo ${stamp} >${RUN}/${name}'`;
    const reload = /^ExecReload=/m.test(text) ? `\nExecReload=${note}` : '';
    files[`${UNITS}/${name}`] = {
      mode: 0o644,
      content: { text: text.replace('\n[Install]', `ExecStartPost=${note}${reload}\n\n[Install]`) },
    };
    wanted[name] = {
      stamp,
      reads: [`${UNITS}/${name}`, ...reads],
      ...(check === undefined ? {} : { check }),
      ...(guards === undefined ? {} : { guards }),
    };
  }
  return part.parse({ name: rest.name, needs, files, trees, units: wanted, data: [...data] });
}

export const digestOf = (of: Content): string => ('text' in of ? sha256Of(of.text) : of.sha256);

export const sha256Of = (text: string | Buffer): string => createHash('sha256').update(text).digest('hex');

/** Digest of a tree: of the lines that `sha256sum` prints of its files, in the order of their names' bytes. */
export function treeDigest(files: readonly { readonly path: string; readonly sha256: string }[]): string {
  const lines = files
    .map((one) => ({ name: Buffer.from(`./${one.path}`), sha256: one.sha256 }))
    .toSorted((a, b) => Buffer.compare(a.name, b.name))
    .map(({ name, sha256: sum }) => `${sum}  ${name.toString()}\n`);
  return sha256Of(lines.join(''));
}
