import { keySetOf } from '@delos/core';
import { type Part, withStamps } from '../machine/part.ts';
import type { AuxVmConfig } from './config.ts';
import { devpiPart } from './devpi.ts';
import { dnsPart } from './dns.ts';
import { firewallPart } from './firewall.ts';
import { gatewayPart } from './gateway.ts';
import type { Programs } from './programs.ts';
import { chartsPart, registryPart } from './registry.ts';
import type { AuxVmSecrets } from './secrets.ts';

/** All that a machine is made of, in the order in which it is made. */
export function partsOf(config: AuxVmConfig, secrets: AuxVmSecrets, programs: Programs): readonly Part[] {
  const keys = keySetOf(secrets.tokenKey);
  return [
    ...(config.registry.enabled ? [registryPart(config, { ...secrets, keys }, programs)] : []),
    ...(config.charts.enabled ? [chartsPart(config, secrets, programs)] : []),
    ...(config.packages.enabled ? [devpiPart(config, secrets, programs)] : []),
    ...(config.dns.enabled ? [dnsPart(config, programs)] : []),
    gatewayPart(config, secrets, programs),
    ...(config.firewall.enabled ? [firewallPart(config)] : []),
  ].map(withStamps);
}
