import { DelosError, entranceNames, entranceRecords, recordLines, zoneText } from '@delos/core';
import type { CommandContext } from '../../context.ts';
import { engineOf } from '../../instance/engine.ts';
import { kubeOf } from '../../instance/kube.ts';
import { readSettings } from '../../instance/settings.ts';
import { table } from '../../table.ts';
import { entranceAddresses } from './addresses.ts';
import { nameFaults, resolveNames } from './resolve.ts';

/** Prints the records that lead to the platform; with `check` also what this machine resolves them to. */
export async function run(
  context: CommandContext,
  options: { readonly config?: string; readonly zone: boolean; readonly check: boolean },
): Promise<void> {
  const { config } = await readSettings(context, options.config);
  const { domain, dns } = config;
  if (entranceNames(domain).length === 0) {
    throw new DelosError('ERR_CONFIG_VALUE', `\`${domain}\` needs no records: it leads to the platform by itself`, {
      hint: 'set `domain` in delos.yaml to the name that users shall know the platform by',
    });
  }
  const addresses = await entranceAddresses(config, async () =>
    kubeOf(context, await (await engineOf(context)).handle()),
  );
  const records = entranceRecords(domain, dns, addresses);
  const names = options.check ? await resolveNames(config) : [];
  const faults = nameFaults(names, addresses);
  const zone = zoneText(domain, dns, addresses);
  const rows = names.map(({ name, addresses: found }) => [name, found.join(', ') || 'nothing']);
  const checked = options.check ? `\n${table(['NAME', 'LEADS TO'], rows)}` : '';
  const text = options.zone ? zone : `${recordLines(records)}${checked}`;
  context.result({ domain, records, zone, ...(options.check ? { names, faults } : {}) }, text);
  if (faults.length === 0) return;
  const error = new DelosError(
    'ERR_NOT_FOUND',
    `of ${names.length} names ${faults.length} do not lead to the platform: ${faults.join('; ')}`,
    {
      hint: 'write the records above into your zone; resolvers may remember for some minutes that there were none',
    },
  );
  process.stderr.write(`${error.render()}\n`);
  process.exitCode = error.exitCode;
}
