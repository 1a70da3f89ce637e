import { DelosError } from '@delos/core';
import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify';
import { z } from 'zod';
import { checkedQuery, checkTexts } from '../edge/text.ts';
import { callerOf } from './admit-requests.ts';
import type { ApiDeps, Caller } from './deps.ts';

type Shape = z.ZodType | undefined;
type Parsed<S extends Shape> = S extends z.ZodType ? z.infer<S> : undefined;

interface RouteSpec<P extends Shape, Q extends Shape, B extends Shape> {
  readonly method: HTTPMethods;
  /** Fastify's path syntax: `/jobs/:id`. */
  readonly url: string;
  readonly summary: string;
  readonly tag: string;
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  /** Most bytes of the body. @default what the API takes */
  readonly largestBody?: number;
  /** What a success answers, for the OpenAPI document. */
  readonly response?: z.ZodType;
  /** Statuses of a success, for the OpenAPI document: the first has `response`. @default 200 */
  readonly success?: readonly [number, ...number[]];
}

export interface RouteInput<P extends Shape, Q extends Shape, B extends Shape> {
  readonly params: Parsed<P>;
  readonly query: Parsed<Q>;
  readonly body: Parsed<B>;
  readonly caller: Caller;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

/** Adds a route for authenticated callers. One schema validates the request and describes it in the OpenAPI document. */
export function route<P extends Shape = undefined, Q extends Shape = undefined, B extends Shape = undefined>(
  app: FastifyInstance,
  deps: Pick<ApiDeps, 'authenticate' | 'requests'>,
  spec: RouteSpec<P, Q, B>,
  handler: (input: RouteInput<P, Q, B>) => Promise<unknown>,
): void {
  app.route({
    method: spec.method,
    url: spec.url,
    schema: {
      summary: spec.summary,
      tags: [spec.tag],
      ...(spec.params === undefined ? {} : { params: jsonSchema(spec.params) }),
      ...(spec.query === undefined ? {} : { querystring: jsonSchema(spec.query) }),
      ...(spec.body === undefined ? {} : { body: jsonSchema(spec.body) }),
      response: successes(spec.success ?? [200], spec.response),
    },
    ...(spec.largestBody === undefined
      ? {}
      : { bodyLimit: spec.largestBody, config: { largestBody: spec.largestBody } }),
    // Before the body: nothing is read of whoever has no token.
    onRequest: async (request) => {
      await callerOf(deps, request);
    },
    handler: async (request, reply) => {
      const caller = await callerOf(deps, request);
      checkedQuery(searchOf(request.url));
      for (const given of [request.params, request.query, request.body]) checkTexts(given);
      return handler({
        params: parse<P>(spec.params, request.params),
        query: parse<Q>(spec.query, request.query),
        body: parse<B>(spec.body, request.body),
        caller,
        request,
        reply,
      });
    },
  });
}

/** @throws DelosError ERR_REQUEST naming the first field that is wrong */
function parse<S extends Shape>(schema: S | undefined, value: unknown): Parsed<S> {
  if (schema === undefined) return undefined as Parsed<S>;
  const parsed = schema.safeParse(value ?? {});
  if (parsed.success) return parsed.data as Parsed<S>;
  const issue = parsed.error.issues[0];
  const field = issue?.path.join('.') ?? '';
  throw new DelosError('ERR_REQUEST', issue?.message ?? 'not accepted', field === '' ? {} : { where: { field } });
}

function searchOf(url: string): string {
  const start = url.indexOf('?');
  return start === -1 ? '' : url.slice(start);
}

/** Query lists are repeated keys; one is a string. */
export function repeated<T extends z.ZodType>(item: T): z.ZodType<readonly z.infer<T>[]> {
  return z.preprocess((value) => (value === undefined ? [] : [value].flat()), z.array(item)) as z.ZodType<
    readonly z.infer<T>[]
  >;
}

/** `True`, `true`, `1`, or a key without a value. */
export const flag = z.preprocess(
  (value) => (typeof value === 'string' ? ['true', '1', ''].includes(value.toLowerCase()) : value),
  z.boolean().optional(),
);

/** What each status of a success has; one without a schema has a body of any form, or none. */
function successes(statuses: readonly number[], response: z.ZodType | undefined): Readonly<Record<number, object>> {
  return Object.fromEntries(
    statuses.map((status, nth) => [
      status,
      { description: 'Done', ...(nth > 0 || response === undefined ? {} : jsonSchema(response, 'output')) },
    ]),
  );
}

/** What a refusal answers, for the OpenAPI document. */
export const ERROR_SCHEMA = {
  type: 'object',
  properties: { error: { type: 'string' }, code: { type: 'string' } },
  required: ['error', 'code'],
};

function jsonSchema(schema: z.ZodType, io: 'input' | 'output' = 'input'): object {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any', target: 'openapi-3.0' });
  return rest;
}
