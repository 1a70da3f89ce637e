import { STREAM_CHANNEL } from '@delos/core';
import { z } from 'zod';

/*
 * Between the kubelet's channels (v4.channel.k8s.io) and ours: 0 stdin, 1 stdout, 2 stderr are the same in both;
 * 3 is a Status there and an exit code here; 4 resizes.
 * https://kubernetes.io/docs/reference/using-api/ (WebSocket streaming)
 */

const KUBE_ERROR = 3;
const KUBE_RESIZE = 4;

const resize = z.object({ width: z.number().int().positive(), height: z.number().int().positive() });
const status = z.object({
  status: z.string().optional(),
  reason: z.string().optional(),
  message: z.string().optional(),
  details: z
    .object({ causes: z.array(z.object({ reason: z.string().optional(), message: z.string().optional() })).optional() })
    .optional(),
});

/** How the far end says that it is over. */
export interface StreamEnd {
  readonly exitCode: number;
  /** What went wrong, where the command could not be run. */
  readonly message: string | undefined;
}

/** A client's frame as the kubelet wants it; undefined: nothing for it. */
export function toKube(frame: Buffer): Buffer | undefined {
  switch (frame[0]) {
    case STREAM_CHANNEL.stdin:
      return frame.length > 1 ? frame : undefined;
    case STREAM_CHANNEL.resize: {
      const parsed = resize.safeParse(tryJson(frame.subarray(1)));
      if (!parsed.success) return undefined;
      const { width, height } = parsed.data;
      return Buffer.concat([Buffer.from([KUBE_RESIZE]), Buffer.from(JSON.stringify({ Width: width, Height: height }))]);
    }
    default:
      return undefined;
  }
}

/** The kubelet's frame: output to pass on, its end, or nothing (channels are announced by empty frames). */
export function fromKube(frame: Buffer): { readonly output?: Buffer; readonly end?: StreamEnd } {
  switch (frame[0]) {
    case STREAM_CHANNEL.stdout:
    case STREAM_CHANNEL.stderr:
      return frame.length > 1 ? { output: frame } : {};
    case KUBE_ERROR:
      return frame.length > 1 ? { end: endOf(frame.subarray(1)) } : {};
    default:
      return {};
  }
}

function endOf(payload: Buffer): StreamEnd {
  const parsed = status.safeParse(tryJson(payload));
  if (!parsed.success) return { exitCode: 1, message: payload.toString('utf8') };
  if (parsed.data.status === 'Success') return { exitCode: 0, message: undefined };
  const cause = parsed.data.details?.causes?.find(({ reason }) => reason === 'ExitCode');
  if (parsed.data.reason === 'NonZeroExitCode' && cause?.message !== undefined) {
    return { exitCode: Number(cause.message), message: undefined };
  }
  const message = parsed.data.message ?? 'the container runtime failed';
  // As a shell says it.
  const exitCode = /not found|no such file/.test(message) ? 127 : /permission denied/.test(message) ? 126 : 1;
  return { exitCode, message };
}

export function exitFrame(exitCode: number): Buffer {
  return Buffer.concat([Buffer.from([STREAM_CHANNEL.exit]), Buffer.from(JSON.stringify({ exit_code: exitCode }))]);
}

export function stderrFrame(text: string): Buffer {
  return Buffer.concat([Buffer.from([STREAM_CHANNEL.stderr]), Buffer.from(text)]);
}

/** Port forward: channel 0 carries data, 1 errors; each begins with a frame that names the port. */
export class ForwardFrames {
  readonly #announced = new Set<number>();

  toKube(frame: Buffer): Buffer {
    return Buffer.concat([Buffer.from([0]), frame]);
  }

  fromKube(frame: Buffer): { readonly data?: Buffer; readonly error?: string } {
    const channel = frame[0];
    if (channel === undefined) return {};
    if (!this.#announced.has(channel)) {
      this.#announced.add(channel);
      return {};
    }
    if (frame.length === 1) return {};
    return channel === 0 ? { data: frame.subarray(1) } : { error: frame.subarray(1).toString('utf8') };
  }
}

function tryJson(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString('utf8'));
  } catch {
    return undefined;
  }
}
