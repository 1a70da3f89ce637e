import { family, type Machine } from './machines.ts';

const SIZES = [2, 4, 8, 16, 32, 48, 64, 96, 192];
const size = (cpu: number): string => (cpu === 2 ? 'large' : cpu === 4 ? 'xlarge' : `${cpu / 4}xlarge`);
const nvidia = (
  name: string,
  cpu: number,
  memory: number,
  model: string,
  count: number,
  gpuMemory: number,
): Machine => ({
  name,
  cpu,
  memory,
  gpu: { kind: 'nvidiaGpu', model, count, memory: gpuMemory },
});

/**
 * Types of Amazon EC2.
 * @see https://aws.amazon.com/ec2/instance-types/
 */
export const AWS_MACHINES: readonly Machine[] = [
  ...family((cpu) => `c7i.${size(cpu)}`, SIZES, 2),
  ...family((cpu) => `m7i.${size(cpu)}`, SIZES, 4),
  ...family((cpu) => `r7i.${size(cpu)}`, SIZES, 8),
  nvidia('g4dn.xlarge', 4, 16, 'T4', 1, 16),
  nvidia('g4dn.4xlarge', 16, 64, 'T4', 1, 16),
  nvidia('g4dn.12xlarge', 48, 192, 'T4', 4, 16),
  nvidia('g4dn.metal', 96, 384, 'T4', 8, 16),
  nvidia('g5.xlarge', 4, 16, 'A10G', 1, 24),
  nvidia('g5.4xlarge', 16, 64, 'A10G', 1, 24),
  nvidia('g5.16xlarge', 64, 256, 'A10G', 1, 24),
  nvidia('g5.12xlarge', 48, 192, 'A10G', 4, 24),
  nvidia('g5.48xlarge', 192, 768, 'A10G', 8, 24),
  nvidia('g6.xlarge', 4, 16, 'L4', 1, 24),
  nvidia('g6.4xlarge', 16, 64, 'L4', 1, 24),
  nvidia('g6.16xlarge', 64, 256, 'L4', 1, 24),
  nvidia('g6.12xlarge', 48, 192, 'L4', 4, 24),
  nvidia('g6.48xlarge', 192, 768, 'L4', 8, 24),
  nvidia('g6e.xlarge', 4, 32, 'L40S', 1, 48),
  nvidia('g6e.4xlarge', 16, 128, 'L40S', 1, 48),
  nvidia('g6e.16xlarge', 64, 512, 'L40S', 1, 48),
  nvidia('g6e.12xlarge', 48, 384, 'L40S', 4, 48),
  nvidia('g6e.48xlarge', 192, 1536, 'L40S', 8, 48),
  nvidia('p4d.24xlarge', 96, 1152, 'A100', 8, 40),
  nvidia('p4de.24xlarge', 96, 1152, 'A100', 8, 80),
  nvidia('p5.4xlarge', 16, 256, 'H100', 1, 80),
  nvidia('p5.48xlarge', 192, 2048, 'H100', 8, 80),
  nvidia('p5en.48xlarge', 192, 2048, 'H200', 8, 141),
  nvidia('p6-b200.48xlarge', 192, 2048, 'B200', 8, 180),
];
