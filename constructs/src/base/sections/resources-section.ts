import { cores, quantityOf, quantityOr0, size } from '@delos/core';
import type { k8s } from 'cdk8s-plus-28';
import { z } from 'zod';
import type { Resources } from '../pod.ts';

/** `resources` of a service in delos.yaml; what is left out is the profile's, else the service's own. */
export function resourcesSection({ cpu, memory, memoryLimit }: Resources) {
  // Less than it asks for in the smallest platform would end it at its start.
  const least = quantityOr0(memory);
  return z
    .strictObject({
      cpu: cores.prefault(cpu).describe('Cores that are kept for each Pod. There is no limit: idle cores are lent'),
      memory: size.prefault(memory).describe('Memory that is kept for each Pod'),
      memoryLimit: size.prefault(memoryLimit).describe('The most memory of each Pod'),
    })
    .superRefine((given, context) => {
      const refuse = (message: string): void => context.addIssue({ code: 'custom', path: ['memoryLimit'], message });
      if (given.memoryLimit < least) refuse(`expected at least ${quantityOf(least)}, which it needs to run`);
      else if (given.memory > given.memoryLimit) {
        refuse(
          `${quantityOf(given.memoryLimit)} is less than the ${quantityOf(given.memory)} of \`memory\`: raise it too`,
        );
      }
    })
    .prefault({})
    .describe('Processor and memory of each Pod');
}
/** `resources` of a service in delos.yaml, defaults filled in. */
export type ResourcesSection = z.infer<ReturnType<typeof resourcesSection>>;

/** As Kubernetes writes them: what a file said in another way is the same text. */
export function resourcesOf({ cpu, memory, memoryLimit }: ResourcesSection): Resources {
  return {
    cpu: Number.isInteger(cpu) ? String(cpu) : `${Math.round(cpu * 1000)}m`,
    memory: String(quantityOf(memory)),
    memoryLimit: String(quantityOf(memoryLimit)),
  };
}

const MIB = 2 ** 20;

/** Whole MiB: that part of an amount of memory. */
export const partOf = (memory: string, part: number): number => Math.floor((quantityOr0(memory) * part) / MIB);

/** Tells a program in Go how much memory to aim at. @param part of the limit that its own heap may take */
export const goMemoryLimit = ({ memoryLimit }: Pick<Resources, 'memoryLimit'>, part = 3 / 4): k8s.EnvVar => ({
  name: 'GOMEMLIMIT',
  value: `${partOf(memoryLimit, part)}MiB`,
});
