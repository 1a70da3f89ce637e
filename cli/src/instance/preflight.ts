import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import type { Check } from '@delos/cluster';
import { type DelosConfig, engineContext, podsApart, SERVICES, synthesize } from '@delos/constructs';
import { isDelosError } from '@delos/core';
import { nameFaults, resolveNames } from '../commands/dns/resolve.ts';
import { checkGiven } from '../commands/tls/given.ts';
import type { CommandContext } from '../context.ts';
import { chooseCluster } from './engine.ts';
import { siteNetworkChecks } from './site-network.ts';

/** All that `up` will need: machine, cluster, and what the configuration names. Changes nothing. */
export async function allChecks(
  context: CommandContext,
  config: DelosConfig,
  contextName: string | undefined,
): Promise<readonly Check[]> {
  const { preflight } = await import('@delos/cluster');
  const choice = await chooseCluster(context, config, contextName);
  const machine = await preflight(choice.config, choice.options, podsApart(config, SERVICES));
  return [
    ...machine,
    ...(await secretFileChecks(config)),
    ...(await certificateChecks(config)),
    ...(await siteNetworkChecks(config)),
    ...(await nameChecks(config)),
  ];
}

/** Looks at machine and cluster, and warns of what may cause trouble. @throws DelosError of the first fatal check */
export async function checkMachine(
  context: CommandContext,
  config: DelosConfig,
  contextName: string | undefined,
): Promise<readonly Check[]> {
  const { requireChecks } = await import('@delos/cluster');
  const checks = await allChecks(context, config, contextName);
  for (const { id, ok, fatal, measured, needed, fix } of checks) {
    if (!ok && !fatal) context.progress.warn(`${id}: ${measured}, needed: ${needed}; ${fix}`);
  }
  requireChecks(checks);
  return checks;
}

/** Names are looked up as this machine does it; users' may know others, so that nothing is refused for it. */
async function nameChecks(config: DelosConfig): Promise<readonly Check[]> {
  const names = await resolveNames(config);
  if (names.length === 0) return [];
  const faults = nameFaults(names, config.dns.addresses);
  return [
    {
      id: 'dns.names',
      ok: faults.length === 0,
      fatal: false,
      code: 'ERR_PREFLIGHT',
      measured: faults.length === 0 ? `${names.length} names lead to the platform` : faults.join('; '),
      needed: 'the records that `delos dns records` prints',
      fix: 'write them into your zone, or have them written: docs/guides/dns.md',
    },
  ];
}

/** A certificate that is given in files is judged before anything is changed. */
async function certificateChecks(config: DelosConfig): Promise<readonly Check[]> {
  if (config.gateway.tls?.given?.certificate === undefined) return [];
  const fault = await checkGiven(config).then(
    () => undefined,
    (error: unknown) => {
      if (isDelosError(error)) return error.message;
      throw error;
    },
  );
  return [
    {
      id: 'gateway.certificate',
      ok: fault === undefined,
      fatal: true,
      code: 'ERR_PREFLIGHT',
      measured: fault ?? 'the given certificate can be served',
      needed: 'a certificate for the public URL, with all that signed it, and its key',
      fix: 'mend what `gateway.tls.given` of delos.yaml names, or leave it out: the platform then makes a certificate itself',
    },
  ];
}

/** Files that hold secrets of what is there already are read last, when all else is done: they are looked for first. */
async function secretFileChecks(config: DelosConfig): Promise<readonly Check[]> {
  const { objects } = synthesize(config, engineContext(config, undefined));
  const sources = objects.flatMap(({ secrets }) => Object.values(secrets));
  const paths = [...new Set(sources.flatMap((source) => (source.kind === 'file' ? [source.path] : [])))];
  return Promise.all(
    paths.map(async (path) => {
      const fault = await access(path, constants.R_OK).then(
        () => undefined,
        (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : String(error)),
      );
      return {
        id: 'secrets.file',
        ok: fault === undefined,
        fatal: true,
        code: 'ERR_PREFLIGHT' as const,
        measured: fault === undefined ? `${path} can be read` : `${path} cannot be read (${fault})`,
        needed: 'each secret file that delos.yaml names',
        fix: 'write the secret to it, or name another place under `services` in delos.yaml',
      };
    }),
  );
}
