import { DelosError, isDelosError } from '@delos/core';
import type { z } from 'zod';

/**
 * A command that is reached by `kubectl exec` alone: one request, as JSON on `input`; one JSON document on stdout, `{result}` or
 * `{error}`.
 * @returns the exit code
 */
export async function answerRequest<Request>(
  schema: z.ZodType<Request>,
  input: AsyncIterable<Buffer | string>,
  answer: (request: Request) => Promise<unknown>,
): Promise<number> {
  try {
    write({ result: await answer(requestOf(schema, await textOf(input))) });
    return 0;
  } catch (error) {
    write({
      error: isDelosError(error)
        ? error
        : new DelosError('ERR_INTERNAL', error instanceof Error ? error.message : String(error)),
    });
    return 1;
  }
}

/** @throws DelosError ERR_REQUEST naming the first field that is wrong */
function requestOf<Request>(schema: z.ZodType<Request>, text: string): Request {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new DelosError('ERR_REQUEST', 'the request is not JSON');
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const field = issue?.path.join('.') ?? '';
  throw new DelosError('ERR_REQUEST', issue?.message ?? 'not accepted', field === '' ? {} : { where: { field } });
}

async function textOf(input: AsyncIterable<Buffer | string>): Promise<string> {
  let text = '';
  for await (const part of input) text += part.toString();
  return text;
}

const write = (document: unknown): void => {
  process.stdout.write(`${JSON.stringify(document)}\n`);
};
