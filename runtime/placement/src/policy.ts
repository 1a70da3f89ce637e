import type { Cluster } from './cluster.ts';
import type { Placement, PodRequest } from './terms.ts';

/** Says of a node, by index, whether this Pod may go there at all: taints, selectors, drains, what a core decides. */
export type NodeFilter = (node: number) => boolean;

/** A policy at work on one cluster. It chooses and changes nothing: the caller allocates what it takes up. */
export interface Placer {
  /** Tells a policy that learns of a Pod that has arrived: once for each, before it is placed. */
  arrived?(request: PodRequest): void;
  /** The placement that the policy likes best among those that fit now; undefined when none does. */
  tryPlace(request: PodRequest, allowed?: NodeFilter): Placement | undefined;
}

/** What a policy may know beside the cluster. */
export interface PolicyContext {
  /** Requests that stand for the workload, with their share of it; policies that have no use for it leave it. */
  readonly typical: readonly TypicalPod[];
  /** Whole numbers in [0, below), for a policy that draws lots. */
  readonly draw: (below: number) => number;
}

/** A request that is common in a workload. */
export interface TypicalPod {
  readonly request: PodRequest;
  /** Share of the Pods that are such, 0–1. */
  readonly popularity: number;
}

/** A named, replaceable way to choose a node. */
export interface Policy {
  readonly name: string;
  start(cluster: Cluster, context: PolicyContext): Placer;
}
