import type { FLOW_IMAGE_STATUSES, TERMINAL_STATUSES } from '@delos/core';
import type { ImageDefinition } from '@delos/flow';

export type ImageStatus = (typeof FLOW_IMAGE_STATUSES)[number];

/** An image that a bake may have to build, with what is written of it. */
export interface BakeImage {
  /** As tasks name it. */
  readonly ref: string;
  /** Where it is defined. The first whose call has begun says how it is built. */
  readonly definitions: readonly ImageDefinition[];
  /** The folder of the storage that it is built from, where that was settled before the bake began. */
  readonly context: string | null;
  /** From the context on. */
  readonly dockerfile: string | null;
  readonly status: ImageStatus;
  /** The job that builds it, or built it. */
  readonly jobId: string | null;
}

/** What builds an image. Addresses are as the flow gives them. */
export interface BuildSpec {
  readonly ref: string;
  readonly context: string;
  /** From the context on. */
  readonly dockerfile: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly volumes: readonly string[];
  readonly preset: string | null;
  readonly kanikoArgs: string | null;
}

/** A change of what is written of an image, to be written before the acts of its turn are carried out. */
export interface ImageChange {
  readonly ref: string;
  readonly status: ImageStatus;
  /** Left out: as it was. */
  readonly jobId?: string;
}

/** Something to be done outside for an image. As acts of tasks, each may be done any number of times. */
export type ImageAct =
  /** Look whether the registry has it. */
  | { readonly kind: 'find'; readonly ref: string }
  /** Make the job that builds it, or tell how that is doing. */
  | { readonly kind: 'build'; readonly ref: string; readonly jobId: string; readonly build: BuildSpec }
  | { readonly kind: 'stop'; readonly ref: string; readonly jobId: string };

/** Something that happened to an image. May come late, twice, in another order, or never. */
export type ImageEvent =
  | { readonly kind: 'found'; readonly ref: string; readonly there: boolean }
  /** Its job has ended. `lost`: the platform lost the job, which is no fault of it. */
  | {
      readonly kind: 'built';
      readonly ref: string;
      readonly jobId: string;
      readonly status: (typeof TERMINAL_STATUSES)[number] | 'lost';
    }
  /** It can never be looked for, or built. */
  | { readonly kind: 'refused'; readonly ref: string; readonly why: string };
