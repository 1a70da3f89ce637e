import type { DesireOf, FileVolumeSource, FromAgent, Kind } from '@delos/core';
import type { KubeClient } from '@delos/kube';
import type { Logger } from 'pino';
import type { z } from 'zod';
import type { ImageSource } from '../image-source.ts';
import type { Node, Pod } from './jobs/pod-shape.ts';
import type { WayOut } from './jobs/way-out.ts';
import type { Namespaces } from './namespaces/namespaces.ts';

/** Makes true what is desired of one kind of things, and tells what it sees. */
export interface Keeper<K extends Kind = Kind> {
  readonly kind: K;
  /** All of which something is desired, after each was told: the others are forgotten. */
  readonly sync: (ids: readonly string[]) => void;
  /** One that is older than what is known changes nothing. */
  readonly desire: (desire: DesireOf<K>) => void;
  /** Nothing is wanted of it any more. */
  readonly forget: (id: string) => void;
  /** The observation with this number is recorded. */
  readonly ack: (id: string, seq: number) => void;
  /** At intervals: what depends on time alone, and what was not acknowledged. */
  readonly sweep: () => void;
  /** How many it looks after. */
  readonly size: number;
}

/** A keeper with what it watches of the cluster. */
export interface KeeperPart<K extends Kind = Kind> {
  readonly keeper: Keeper<K>;
  /** Watches until the signal; settles when all has ended. */
  readonly run: (signal: AbortSignal) => Promise<void>;
  /** Why it cannot work; undefined where it can. */
  readonly problem: () => string | undefined;
  /** The Pod that streams into one of them lead to. @default such things have none */
  readonly podOf?: (id: string) => Pod | undefined;
}

/** What every keeper is given. */
export interface KeeperContext {
  readonly client: KubeClient;
  readonly cluster: string;
  /** The pool of nodes without a pool's label, where there is but one. */
  readonly onlyPool: string | undefined;
  /** What jobs are given of the way out of the cluster. */
  readonly wayOut: WayOut;
  readonly namespaces: Namespaces;
  readonly log: Logger;
  /** Sends, or drops where there is no connection: all is told again at the next one. */
  readonly send: (message: FromAgent) => void;
  readonly connected: () => boolean;
  /** Makes a reader of Kubernetes objects; one that it does not understand is logged and left out. */
  readonly read: <T>(shape: z.ZodType<T>) => (object: unknown) => T | undefined;
  /** Manifest digest of an image that stands in for another → what it really is. */
  readonly standIns: ReadonlyMap<string, string>;
  /** Why an image must not be pulled, judged by its registry. */
  readonly imageSource: ImageSource;
  /** StorageClass of new disks; undefined: the cluster's default. */
  readonly diskClass: string | undefined;
  /** Where the file storage is; undefined: jobs cannot mount it. */
  readonly fileVolume: FileVolumeSource | undefined;
  /** The nodes as they are known. */
  readonly nodes: () => Iterable<Node>;
}
