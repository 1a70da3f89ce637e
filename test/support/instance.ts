import { join } from 'node:path';
import { instancePaths } from '@delos/core';
import { z } from 'zod';
import { type ApoloClient, apoloClient } from '../../peers/src/apolo.ts';
import { type CommandOptions, type CommandResult, execute, expectOk } from '../../peers/src/command.ts';
import { tryReadJson, writeJson } from './json-file.ts';
import { runName } from './test-run.ts';

/** The instance of the tests: never a person's own, and never two test runs' at once (the command's lock sees to it). */
export const TEST_INSTANCE = process.env.DELOS_TEST_INSTANCE ?? 'delos-test';
const ROOT = join(import.meta.dirname, '../..');
export const TEST_CONFIG = join(import.meta.dirname, 'platform.yaml');

export const upDocument = z.object({
  apiUrl: z.string(),
  adminUser: z.string(),
  kubeconfig: z.string(),
  phases: z.array(z.object({ name: z.string(), seconds: z.number() })),
  changes: z.object({
    same: z.number(),
    create: z.number(),
    update: z.number(),
    delete: z.number(),
    replace: z.number(),
  }),
  firstJob: z.object({ id: z.string(), output: z.string() }),
});
export type UpDocument = z.infer<typeof upDocument>;

export interface TestPlatform {
  /** What the first `up` of this test run printed. */
  readonly up: UpDocument;
  readonly apiUrl: string;
  /** Scheme, host and port of the platform. */
  readonly origin: string;
}

/** `./delos ARGS` as a person types it, for the tests' instance. */
export function delos(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const { env, ...rest } = options;
  return execute([join(ROOT, 'delos'), ...args], {
    timeout: 900,
    cwd: ROOT,
    ...rest,
    env: { ...withoutCluster(), DELOS_INSTANCE: TEST_INSTANCE, ...env },
  });
}

/** A KUBECONFIG of the person who runs the tests is none of the tests' business. */
function withoutCluster(): NodeJS.ProcessEnv {
  const { KUBECONFIG: _, ...env } = process.env;
  return env;
}

/** stdout as one JSON document. @throws Error when the command fails or prints anything else */
export async function delosJson<T>(
  schema: z.ZodType<T>,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<T> {
  return schema.parse(JSON.parse(await expectOk(delos([...args, '--json'], options))));
}

export const kubectl = (args: readonly string[], options: CommandOptions = {}): Promise<string> =>
  expectOk(delos(['kubectl', ...args], options));

let platform: Promise<TestPlatform> | undefined;

/**
 * The whole platform in the tests' instance: made from nothing at its first use in a test run, whatever an earlier,
 * perhaps killed, run has left; shared by all files of the run.
 */
export function testPlatform(): Promise<TestPlatform> {
  platform ??= bringUp();
  return platform;
}

const MARKER = join(instancePaths(TEST_INSTANCE, process.env).cache, 'tests', `${TEST_INSTANCE}.json`);
const tryReadMarker = () => tryReadJson(MARKER, z.object({ run: z.string(), up: upDocument }));

/** Whether that test run has brought the platform up. */
export async function isPlatformOf(run: string): Promise<boolean> {
  return (await tryReadMarker())?.run === run;
}

async function bringUp(): Promise<TestPlatform> {
  const run = runName();
  const known = await tryReadMarker();
  if (known?.run === run) return describePlatform(known.up);
  // For work on a single test: keep what is up.
  if (process.env.DELOS_TEST_KEEP === undefined) await expectOk(delos(['down', '--delete-data']));
  const up = await delosJson(upDocument, ['up', '--config', TEST_CONFIG], { timeout: 1700 });
  await writeJson(MARKER, { run, up });
  return describePlatform(up);
}

function describePlatform(up: UpDocument): TestPlatform {
  return { up, apiUrl: up.apiUrl, origin: new URL(up.apiUrl).origin };
}

export async function token(user: string, ttl = '1h'): Promise<string> {
  return (await expectOk(delos(['token', '--user', user, '--ttl', ttl]))).trim();
}

/** The official client, logged in by token. */
export async function loggedIn(user: string, more: { readonly extras?: boolean } = {}): Promise<ApoloClient> {
  const { apiUrl } = await testPlatform();
  const client = await apoloClient(more);
  await client.ok(['config', 'login-with-token', await token(user), apiUrl]);
  await client.ok(['config', 'switch-project', 'default']);
  return client;
}

/** Password of a user of the platform, as an admin reads it. */
export async function password(user: string): Promise<string> {
  const status = await delosJson(z.object({ users: z.array(z.object({ name: z.string(), password: z.string() })) }), [
    'status',
    '--show-passwords',
  ]);
  const found = status.users.find(({ name }) => name === user);
  if (found === undefined) throw new Error(`delos status shows no user ${user}`);
  return found.password;
}
