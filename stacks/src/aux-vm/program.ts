import type { Part } from '../machine/part.ts';
import { MachinePart, MachineProvider } from '../machine/resource.ts';
import type { Address } from '../machine/ssh.ts';

/** Registers the parts, each after the one before it: the machine is changed by one at a time, and the firewall comes last. */
export function auxVmProgram(at: Address, parts: readonly Part[]): void {
  const provider = new MachineProvider('machine', at);
  let before: MachinePart | undefined;
  for (const part of parts) {
    before = new MachinePart(part, { provider, ...(before === undefined ? {} : { dependsOn: [before] }) });
  }
}
