import type { Right } from '@delos/core';
import type { AgentHub } from './agents/hub.ts';
import type { ApiDeps, Caller } from './deps.ts';
import type { ProjectOf } from './rights.ts';
import type { Prepared } from './upgrades.ts';
import type { UsageReaders } from './usage/usage-readers.ts';

/*
 * A stream is a WebSocket of a resource. Everything that can be refused is refused at the handshake: what is upgraded
 * and then closed counts as a normal end for the client.
 */

export interface StreamDeps extends ApiDeps {
  /** The agents: what they tell, and the way into containers. */
  readonly hub: AgentHub;
  /** What running jobs use, for whoever reads it. */
  readonly usage: UsageReaders;
}

/** What a handshake asks for. */
export interface StreamCall {
  readonly caller: Caller;
  /** The parts of the path that have a name. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
}

export interface Stream {
  /** After the resource's prefix, as of a route: `/:id/log_ws`. A `?` behind a name: the part may be left out. */
  readonly path: string;
  /** What the caller needs. It is looked at again when rights change, and the stream is closed where it is gone. */
  readonly right: Right;
  /** Subprotocol that is chosen where the client offers it. @default none */
  readonly protocol?: string;
  /** @throws DelosError what the handshake is refused with */
  readonly open: (deps: StreamDeps, request: StreamCall) => Promise<OpenedStream>;
}

export interface OpenedStream extends Prepared {
  /** Whose right it is. */
  readonly project: StreamPlace;
}

/** A project, and the object by its URIs, for grants. */
export interface StreamPlace extends ProjectOf {
  /** @default grants do not count */
  readonly uris?: readonly string[];
}

/** A stream of one object, which the path names by `:id`. */
export interface ObjectStream<T extends ProjectOf> extends Omit<Stream, 'open'> {
  readonly open: (deps: StreamDeps, object: T, request: StreamCall) => Prepared | Promise<Prepared>;
}

/** Streams of objects that are found so. The caller's right is checked before one is opened. */
export function objectStreams<T extends ProjectOf>(
  find: (deps: ApiDeps, caller: Caller, id: string, right: Right) => Promise<T>,
  streams: readonly ObjectStream<T>[],
  urisOf: (object: T) => readonly string[] = () => [],
): readonly Stream[] {
  return streams.map((stream) => ({
    ...stream,
    open: async (deps, request) => {
      const object = await find(deps, request.caller, request.params.id ?? '', stream.right);
      const prepared = await stream.open(deps, object, request);
      return { ...prepared, project: { org: object.org, project: object.project, uris: urisOf(object) } };
    },
  }));
}
