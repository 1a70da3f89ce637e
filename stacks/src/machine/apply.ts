import { spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { type Pack, pack } from 'tar-stream';
import { type Facts, lookScript, parseFacts, word } from './facts.ts';
import type { Part } from './part.ts';
import { planOf, removalOf, type Step } from './plan.ts';
import { applyScript, confirmScript } from './script.ts';
import type { Connection } from './ssh.ts';

/** What the machine has of a part. @throws Error where it is not reached */
export async function look(connection: Connection, part: Part, signal: AbortSignal): Promise<Facts> {
  // The script is read whole before it runs: its commands would read from it otherwise.
  const { code, stdout, stderr } = await connection.run('s=$(cat); eval "$s"', lookScript(part), signal);
  if (code !== 0) throw new Error(`looking at the machine failed: ${stderr.trim()}`);
  return parseFacts(stdout);
}

/**
 * Makes the machine as the part says. What is so already is not touched.
 * @param report told of each difference, where the part is there already
 * @throws Error with the machine's own words
 */
export async function apply(
  connection: Connection,
  part: Part,
  signal: AbortSignal,
  report: (message: string) => void,
): Promise<void> {
  const facts = await look(connection, part, signal);
  const { steps, differences } = planOf(part, facts);
  if (facts.recorded.length > 0) for (const { name, what } of differences) report(`${name} ${what}`);
  await take(connection, part.name, steps, signal);
  await confirm(connection, part, steps, signal);
}

/** Takes the part from the machine, but for its data. */
export async function removePart(connection: Connection, part: Part, signal: AbortSignal): Promise<void> {
  await take(connection, part.name, removalOf(await look(connection, part, signal)), signal);
}

async function confirm(connection: Connection, part: Part, steps: readonly Step[], signal: AbortSignal): Promise<void> {
  const guarding = Object.entries(part.units).flatMap(([unit, { guards }]) => (guards === undefined ? [] : [unit]));
  if (guarding.length === 0 || steps.length === 0) return;
  const loaded = steps.some((one) => one.do === 'start' && guarding.includes(one.unit));
  const script = `s=${word(confirmScript(guarding, loaded))}; eval "$s"`;
  const { code, stderr } = await connection.run(script, '', signal);
  if (code !== 0) throw new Error(`the firewall could not be confirmed, and is undone: ${stderr.trim()}`);
}

/** Content of a step as the machine's script finds it. */
const placeOf =
  (steps: readonly Step[]) =>
  (step: Step): string =>
    `"$P"/${steps.indexOf(step)}`;

async function take(connection: Connection, name: string, steps: readonly Step[], signal: AbortSignal): Promise<void> {
  if (steps.length === 0) return;
  const archive = pack();
  const filling = fill(archive, applyScript(name, steps, placeOf(steps)), steps).catch((error: unknown) => {
    archive.destroy(error instanceof Error ? error : new Error(String(error)));
    throw error;
  });
  // The folder of a run that was cut off goes with a later one.
  const line =
    'umask 077; find /var/lib -maxdepth 1 -name ".delos-in-*" -mmin +60 -exec rm -rf {} +; d=$(mktemp -d /var/lib/.delos-in-XXXXXXXX) && trap "rm -rf \\"$d\\"" EXIT && tar -xf - -C "$d" && sh "$d/apply" "$d"';
  const [ran] = await Promise.all([connection.run(line, Readable.from(archive), signal), filling]);
  if (ran.code !== 0) throw new Error(ran.stderr.trim() || `the machine answered with exit code ${ran.code}`);
}

async function fill(archive: Pack, script: string, steps: readonly Step[]): Promise<void> {
  for (const [nth, step] of steps.entries()) {
    if (step.do === 'put') await add(archive, String(nth), step.content);
    if (step.do === 'unpack') await put(archive, String(nth), await packed(step.source));
  }
  await put(archive, 'apply', Buffer.from(script));
  archive.finalize();
}

async function add(archive: Pack, name: string, content: Extract<Step, { do: 'put' }>['content']): Promise<void> {
  if ('text' in content) {
    await put(archive, name, Buffer.from(content.text));
    return;
  }
  const { size } = await stat(content.source);
  await pipeline(createReadStream(content.source), archive.entry({ name, size, mode: 0o600 }));
}

const put = (archive: Pack, name: string, content: Buffer): Promise<void> =>
  new Promise((resolve, reject) => {
    archive.entry({ name, mode: 0o600 }, content, (error) => (error ? reject(error) : resolve()));
  });

/** A folder as an archive, by the system's tar. */
export async function packed(folder: string): Promise<Buffer> {
  const args = [
    '--sort=name',
    '--owner=0',
    '--group=0',
    '--mtime=@0',
    '--mode=u=rwX,go=rX',
    '-C',
    folder,
    '-cf',
    '-',
    '.',
  ];
  const child = spawn('tar', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [content, code] = await Promise.all([
    buffer(child.stdout),
    new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    }),
  ]);
  if (code !== 0) throw new Error(`tar could not pack ${folder}`);
  return content;
}
