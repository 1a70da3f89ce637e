import { DelosError, MAX_ARGUMENT_BYTES, MAX_JOB_TEXT_BYTES } from '@delos/core';

type Text = string | null | undefined;

/** The texts of a request, as far as they are bounded together. */
export interface JobTexts {
  readonly description?: Text;
  readonly tags?: readonly string[] | null | undefined;
}

export interface ContainerTexts {
  readonly env?: Readonly<Record<string, string>> | null | undefined;
  readonly secret_env?: Readonly<Record<string, string>> | null | undefined;
  readonly command?: Text;
  readonly entrypoint?: Text;
  readonly working_dir?: Text;
  readonly image: string;
}

/**
 * Bounds the texts of one job together, and each variable of its environment.
 * @param prefix where the container's fields lie in the request
 * @throws DelosError ERR_REQUEST naming the field that holds the most
 */
export function checkJobTexts(meta: JobTexts, container: ContainerTexts, prefix: string): void {
  const env = Object.entries(container.env ?? {});
  for (const [name, value] of env) {
    if (bytes(name, '=', value) <= MAX_ARGUMENT_BYTES) continue;
    throw tooLong(`${prefix}env.${name}`, `a variable with its name is at most ${MAX_ARGUMENT_BYTES} bytes`);
  }
  const twice = Object.keys(container.secret_env ?? {}).find((name) => name in (container.env ?? {}));
  if (twice !== undefined) {
    throw new DelosError('ERR_REQUEST', `${twice} is set twice: to a value, and to a secret`, {
      where: { field: `${prefix}secret_env.${twice}` },
      hint: 'leave one of them out',
    });
  }
  const fields = new Map([
    [`${prefix}env`, bytes(...env.flat())],
    [`${prefix}secret_env`, bytes(...Object.entries(container.secret_env ?? {}).flat())],
    [`${prefix}command`, bytes(container.command)],
    [`${prefix}entrypoint`, bytes(container.entrypoint)],
    [`${prefix}working_dir`, bytes(container.working_dir)],
    [`${prefix}image`, bytes(container.image)],
    ['description', bytes(meta.description)],
    ['tags', bytes(...(meta.tags ?? []))],
  ]);
  const sizes = [...fields].toSorted(([, a], [, b]) => b - a);
  const total = sizes.reduce((sum, [, size]) => sum + size, 0);
  if (total <= MAX_JOB_TEXT_BYTES) return;
  const [field = '', size = 0] = sizes[0] ?? [];
  throw tooLong(
    field,
    `the texts of one job are at most ${kib(MAX_JOB_TEXT_BYTES)} together; these are ${kib(total)}, of which this field has ${kib(size)}`,
  );
}

function tooLong(field: string, message: string): DelosError {
  return new DelosError('ERR_REQUEST', message, {
    where: { field },
    hint: 'nothing was started; put large data into the image, or fetch it from within the job',
  });
}

function bytes(...texts: readonly Text[]): number {
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text ?? ''), 0);
}

function kib(size: number): string {
  return `${Math.ceil(size / 1024)} KiB`;
}
