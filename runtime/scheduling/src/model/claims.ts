import type { DeviceClass, DeviceSelector, GpuRequest, Node } from './model.ts';

/** Attributes of one device by name. */
export type DeviceAttributes = Readonly<Record<string, string>>;

export interface ClaimRequest {
  readonly name: string;
  readonly selectors: readonly DeviceSelector[];
  readonly all: boolean;
  /** Devices it takes; of `all` the most. */
  readonly count: number;
}

/** A claim with its classes looked up. */
export interface Claim {
  readonly requests: readonly ClaimRequest[];
  /** Attributes that the devices of some requests, by their index, have in common. */
  readonly constraints: readonly { readonly attribute: string; readonly requests: ReadonlySet<number> }[];
}

/** @throws RangeError where a class is not known */
export function claimOf(
  { requests, constraints }: Extract<GpuRequest, { kind: 'claim' }>,
  classes: ReadonlyMap<string, DeviceClass>,
): Claim {
  return {
    requests: requests.map(({ name, class: of, selectors, allocationMode, count, upTo }) => {
      const known = classes.get(of);
      if (known === undefined) throw new RangeError(`there is no device class ${of}`);
      return {
        name,
        selectors: [...known.selectors, ...selectors],
        all: allocationMode === 'All',
        count: upTo ?? count,
      };
    }),
    constraints: constraints.map(({ matchAttribute, requests: among }) => ({
      attribute: matchAttribute,
      requests: new Set(
        requests.flatMap(({ name }, index) => (among === undefined || among.includes(name) ? [index] : [])),
      ),
    })),
  };
}

/**
 * What each device of a node says of itself: the node's attributes, its own, and its model, memory (MiB) and resource.
 */
export function attributesOf(gpu: NonNullable<Node['gpu']>): readonly DeviceAttributes[] {
  const common = { resource: gpu.resource, model: gpu.model, memoryMiB: String(gpu.memoryMiB), ...gpu.attributes };
  return Array.from({ length: gpu.count }, (_, device) => ({ ...common, ...gpu.devices?.[device]?.attributes }));
}

/**
 * Devices of one node that satisfy a claim, ascending; undefined where none do. `idle` says which nobody uses.
 *
 * Every combination of values that the constraints may agree on is tried, and for each the requests are matched with
 * devices by augmenting paths, so that "no" is proven. A request for all takes every device that matches it on the
 * node, in use or not, and fails where one of them is in use or there are more than it may take.
 *
 * Sources: KEP-4381, "DRA: structured parameters" (classes, selectors, allocationMode, matchAttribute); Kuhn, "The
 * Hungarian method for the assignment problem", 1955 (augmenting paths).
 */
export function allocate(
  { requests, constraints }: Claim,
  devices: readonly DeviceAttributes[],
  idle: readonly boolean[],
): readonly number[] | undefined {
  const suited = suitedOf(requests, devices);
  const agree = (from: number, wanted: readonly string[]): readonly number[] | undefined => {
    const constraint = constraints[from];
    if (constraint === undefined) {
      const allowed = (request: number, device: number): boolean =>
        constraints.every(
          ({ attribute, requests: among }, c) => !among.has(request) || devices[device]?.[attribute] === wanted[c],
        );
      return match(requests, suited, idle, allowed);
    }
    const values = new Set(devices.flatMap((device) => device[constraint.attribute] ?? []));
    for (const value of [...values].sort()) {
      const found = agree(from + 1, [...wanted, value]);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return agree(0, []);
}

function match(
  requests: readonly ClaimRequest[],
  suited: readonly (readonly number[])[],
  idle: readonly boolean[],
  allowed: (request: number, device: number) => boolean,
): readonly number[] | undefined {
  const holder = new Map<number, number>();
  for (const [r, { all, count }] of requests.entries()) {
    if (!all) continue;
    const mine = suited[r] ?? [];
    if (mine.length === 0 || mine.length > count) return undefined;
    for (const device of mine) {
      if (idle[device] !== true || holder.has(device) || !allowed(r, device)) return undefined;
      holder.set(device, -1);
    }
  }
  const slots = requests.flatMap(({ all, count }, r) => (all ? [] : Array.from({ length: count }, () => r)));
  const candidates = slots.map((r) =>
    (suited[r] ?? []).filter((device) => idle[device] === true && holder.get(device) !== -1 && allowed(r, device)),
  );
  return fill(candidates, holder) ? [...holder.keys()].sort((a, b) => a - b) : undefined;
}

/** Devices that each request may have by its selectors. */
export function suitedOf(
  requests: readonly ClaimRequest[],
  devices: readonly DeviceAttributes[],
): readonly (readonly number[])[] {
  return requests.map(({ selectors }) =>
    devices.flatMap((device, d) => (selectors.every((selector) => selects(selector, device)) ? [d] : [])),
  );
}

/** Gives each slot a candidate of its own; `holder` tells which slot has a device. False where that is not possible. */
export function fill(candidates: readonly (readonly number[])[], holder: Map<number, number>): boolean {
  const find = (slot: number, seen: Set<number>): boolean => {
    for (const device of candidates[slot] ?? []) {
      if (seen.has(device)) continue;
      seen.add(device);
      const other = holder.get(device);
      if (other !== undefined && !find(other, seen)) continue;
      holder.set(device, slot);
      return true;
    }
    return false;
  };
  return candidates.every((_, slot) => find(slot, new Set()));
}

function selects({ attribute, in: among, notIn, atLeast, atMost }: DeviceSelector, device: DeviceAttributes): boolean {
  const value = device[attribute];
  if (value === undefined) return false;
  if (among !== undefined && !among.some((each) => String(each) === value)) return false;
  if (notIn?.some((each) => String(each) === value) === true) return false;
  // A text that is no number is neither larger nor smaller.
  if (atLeast !== undefined && !(Number(value) >= atLeast)) return false;
  return atMost === undefined || Number(value) <= atMost;
}
