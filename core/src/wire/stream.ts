import { z } from 'zod';
import { jobId } from './job.ts';

/** The image that a container becomes, and what it is pushed by. */
export const savedImage = z.object({
  /** Its name, with a tag. */
  image: z.string(),
  registry: z.object({
    /** Opens that one repository, for an hour. */
    password: z.string(),
    /** `HOST:PORT` where Pods reach the registry; empty where its name leads there. */
    at: z.string().default(''),
    plain: z.boolean().default(false),
    /** Authorities to trust beside the public ones, PEM. */
    authorities: z.string().default(''),
  }),
});

/** A byte stream that a client of the API wants with a Pod; the agent dials /streams/ID and joins it to the kubelet. */
export const streamRequest = z.object({
  id: z.string(),
  jobId,
  kind: z.enum(['attach', 'exec', 'port-forward', 'top', 'save']),
  tty: z.boolean().default(false),
  stdin: z.boolean().default(false),
  stdout: z.boolean().default(false),
  stderr: z.boolean().default(false),
  command: z.array(z.string()).default([]),
  port: z.number().int().nullable().default(null),
  /** Of `save`: the image that its container becomes. */
  save: savedImage.optional(),
  /** Where the replica of the API waits that the client is connected to: the agent dials there. Null: where it is connected itself. */
  callback: z.url().nullable().default(null),
});
export type StreamRequest = z.infer<typeof streamRequest>;

/** What a job's container uses, as the official client reads it. */
export const jobUsage = z.object({
  /** Cores. */
  cpu: z.number().nonnegative(),
  memory_bytes: z.number().int().nonnegative(),
  /** When it was measured, in seconds since 1970. */
  timestamp: z.number(),
});
export type JobUsage = z.infer<typeof jobUsage>;

/** Byte 0 of a frame of attach and exec, as the official client has it. */
export const STREAM_CHANNEL = {
  stdin: 0,
  stdout: 1,
  stderr: 2,
  /** The end: JSON `{"exit_code": n}`. */
  exit: 3,
  /** JSON `{"width": n, "height": n}`, towards the container. */
  resize: 4,
} as const;

/** Why a stream could not be had: answered to the client's handshake. */
export const streamRefused = z.object({
  /** HTTP status; 404 where the container has ended or not started. */
  status: z.number().int().min(400).max(599),
  message: z.string(),
});
export type StreamRefused = z.infer<typeof streamRefused>;
