import { compareReleases } from '@delos/core';
import { megabytes } from '../backup/sizes.ts';

/** What is known before anything is changed. */
export interface UpgradeFacts {
  readonly instance: string;
  /** The release that is installed. */
  readonly from: string;
  /** The release of this checkout. */
  readonly to: string;
  /** Releases that this one takes over. */
  readonly upgradesFrom: readonly string[];
  /** Service → image: as it runs, and as it shall run. */
  readonly images: { readonly former: ImagesByService; readonly next: ImagesByService };
  /** Migrations of this release that the database lacks, in their order. */
  readonly migrations: readonly string[];
  /** Major version of the data of PostgreSQL, and of the image that shall run it. */
  readonly postgres: { readonly data: string; readonly image: string };
  /** Services that the site runs by itself and that keep what the platform keeps: no copy of them can be made. */
  readonly external: readonly string[];
  /** Services of which each of several Pods has a copy of all: one volume brought back would not fit the others. */
  readonly members: readonly string[];
  /** Volumes that are copied, in bytes. */
  readonly volumes: readonly { readonly service: string; readonly bytes: number }[];
  /** Bytes that are free where the copy goes. */
  readonly free: number;
  /** Services that are not as they should be, and why. */
  readonly ill: readonly { readonly name: string; readonly message: string }[];
  /** The operator agrees that the platform stops. */
  readonly offline: boolean;
}

export type ImagesByService = Readonly<Record<string, string>>;

/** Why an upgrade is not begun, and what to do about it. */
export interface Refusal {
  readonly what: string;
  readonly todo: string;
}

export interface UpgradePlan {
  readonly instance: string;
  readonly from: string;
  readonly to: string;
  readonly services: readonly { readonly name: string; readonly from: string | null; readonly to: string | null }[];
  readonly migrations: readonly string[];
  readonly copies: UpgradeFacts['volumes'];
  readonly refusals: readonly Refusal[];
}

/** The copy is compressed; what it needs is what it copies, and a reserve for what grows meanwhile. */
const RESERVE_BYTES = 512 * 2 ** 20;
const COPY_SHARE = 1.5;

/** What an upgrade would do, and why it would not be begun. */
export function planUpgrade(facts: UpgradeFacts): UpgradePlan {
  const { former, next } = facts.images;
  const names = [...new Set([...Object.keys(former), ...Object.keys(next)])].sort();
  return {
    instance: facts.instance,
    from: facts.from,
    to: facts.to,
    services: names.map((name) => ({ name, from: former[name] ?? null, to: next[name] ?? null })),
    migrations: facts.migrations,
    copies: facts.volumes,
    refusals: refusalsOf(facts),
  };
}

function refusalsOf(facts: UpgradeFacts): readonly Refusal[] {
  const { from, to } = facts;
  const direction = versionRefusal(facts);
  if (direction !== undefined) return [direction];
  const refusals: Refusal[] = [];
  const { data, image } = facts.postgres;
  if (data !== image) {
    refusals.push({
      what: `the data is of PostgreSQL ${data}, and ${to} runs PostgreSQL ${image}`,
      todo: 'move the data to that major version first; no release of Delos does that by itself yet',
    });
  }
  for (const name of facts.external) {
    refusals.push({
      what: `${name} is the site’s own: no restore point can be taken of it, and so nothing can be rolled back`,
      todo: 'save it by its own means, then deploy with `delos down` and `delos up`',
    });
  }
  for (const name of facts.members) {
    refusals.push({
      what: `${name} has several members: a restore point brings back the volume of one, which would not fit the others`,
      todo: `\`delos backup\` with ${from}, \`delos down --delete-data\`, then \`delos restore\` with ${to}`,
    });
  }
  for (const { name, message } of facts.ill) {
    refusals.push({
      what: `${name} is not as it should be: ${message}`,
      todo: 'mend it first (`delos status` says how): after a failed gate nobody could tell the new fault from the old',
    });
  }
  const needed = neededBytes(facts);
  if (facts.free < needed) {
    refusals.push({
      what: `the restore point may need ${megabytes(needed)}, and ${megabytes(facts.free)} are free`,
      todo: 'free space on the disk of the instance’s state',
    });
  }
  if (!facts.offline && refusals.length === 0) {
    refusals.push({
      what: `from ${from} to ${to} the platform has to stop: its volumes are copied, and its database is changed so that ${from} could not work with it`,
      todo: 'choose a quiet time, then `delos upgrade --offline`',
    });
  }
  return refusals;
}

/** What a restore point of these volumes may need. */
export const neededBytes = ({ volumes }: Pick<UpgradeFacts, 'volumes'>): number =>
  volumes.reduce((sum, { bytes }) => sum + bytes, 0) * COPY_SHARE + RESERVE_BYTES;

function versionRefusal({ from, to, upgradesFrom }: UpgradeFacts): Refusal | undefined {
  if (compareReleases(from, to) > 0) {
    return {
      what: `${from} is installed, which is later than ${to}: there is no way back to an earlier release`,
      todo: `use a checkout of ${from} or later; \`delos restore\` brings back a backup of ${to}`,
    };
  }
  if (compareReleases(from, to) < 0 && !upgradesFrom.includes(from)) {
    return {
      what: `${to} does not take over ${from}, only ${upgradesFrom.join(', ')}`,
      todo: `upgrade to ${upgradesFrom[0] ?? 'a release in between'} first, with a checkout of that release`,
    };
  }
  return undefined;
}

/** A plan for a person. */
export function planText(plan: UpgradePlan): string {
  const changes = plan.services.map(({ name, from, to }) => {
    if (from === null) return `    ${name}: new, ${to}`;
    if (to === null) return `    ${name}: goes`;
    return from === to ? `    ${name}: stays ${from}` : `    ${name}: ${from} → ${to}`;
  });
  const copies = plan.copies.map(({ service, bytes }) => `${service} ${megabytes(bytes)}`);
  return [
    `Instance ${plan.instance}: from ${plan.from} to ${plan.to}.`,
    '',
    '1. Images are built or pulled. The platform serves on.',
    '2. The platform stops: no login, no request. Nodes keep the logs of jobs.',
    `3. A restore point is taken: all that is deployed, its secrets, and ${copies.join(', ')} of volumes, encrypted.`,
    '4. The cluster is brought to this version. Jobs on an embedded node that has to start anew are lost with it; all others run on.',
    `5. Services start, behind a closed gateway and without the agent. Migrations of the database: ${plan.migrations.join(', ') || 'none'}.`,
    ...changes,
    '6. Agent and gateway start, and the API must answer.',
    '',
    `When 4 to 6 fail, all goes back to ${plan.from}: objects, images, volumes. Nothing that was accepted is lost by that.`,
    ...plan.refusals.flatMap(({ what, todo }) => ['', `Refused: ${what}`, `  what to do: ${todo}`]),
  ].join('\n');
}
