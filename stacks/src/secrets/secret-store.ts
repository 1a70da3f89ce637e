import { z } from 'zod';

const pair = z.object({ certificate: z.string(), key: z.string(), names: z.array(z.string()).default([]) });

/** All secrets of a stack: made once, kept encrypted in its configuration. */
export const secretStore = z.object({
  version: z.literal(1),
  /** `namespace/secret/key` → value: of passwords, and of keys that sign. */
  passwords: z.record(z.string(), z.string()).default({}),
  ca: pair.nullable().default(null),
  /** The authority before `ca`, which signs through the overlap. */
  formerCa: pair.nullable().default(null),
  /** Leaf name → certificate and key. */
  leaves: z.record(z.string(), pair).default({}),
  /** Address → the other value that is accepted while one is rotated: the one that comes next, or the former one. */
  turns: z.record(z.string(), z.object({ phase: z.enum(['next', 'former']), value: z.string() })).default({}),
  /** Address → how many steps of rotations it has had; three are a rotation. */
  steps: z.record(z.string(), z.number().int()).default({}),
});
export type SecretStore = z.infer<typeof secretStore>;

export const EMPTY_STORE: SecretStore = {
  version: 1,
  passwords: {},
  ca: null,
  formerCa: null,
  leaves: {},
  turns: {},
  steps: {},
};

/** Secrets as they were kept last. */
export const parseStore = (kept: string | undefined): SecretStore =>
  kept === undefined ? EMPTY_STORE : secretStore.parse(JSON.parse(kept));
