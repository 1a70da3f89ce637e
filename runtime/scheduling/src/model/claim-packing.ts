import { allocate, type Claim, type DeviceAttributes, fill, suitedOf } from './claims.ts';

/** Matchings tried before the most found so far is taken. */
const STEPS = 2000;

/**
 * Devices of one node for as many replicas of a claim as have room there together, in ascending order. One after the other would
 * waste some: a request for any device takes one that only another request could have used.
 *
 * A matching of all replicas' requests at once, for each choice of the values that the replicas agree on. With a few values a
 * node that is every choice; beyond a number of steps the best so far counts.
 */
export function allocateMost(
  claim: Claim,
  devices: readonly DeviceAttributes[],
  idle: readonly boolean[],
): readonly (readonly number[])[] {
  const one = allocate(claim, devices, idle);
  if (one === undefined) return [];
  const { requests, constraints } = claim;
  // Who takes all leaves none for another.
  if (requests.some(({ all }) => all)) return [one];
  const suited = suitedOf(requests, devices);
  const slots = requests.flatMap(({ count }, r) => Array.from({ length: count }, () => r));
  const most = Math.floor(idle.filter(Boolean).length / slots.length);
  if (most <= 1) return [one];
  const agreed = constraints.reduce<readonly (readonly string[])[]>(
    (wanted, { attribute }) => {
      const values = [...new Set(devices.flatMap((device) => device[attribute] ?? []))].sort();
      return wanted.flatMap((each) => values.map((value) => [...each, value]));
    },
    [[]],
  );
  /** By the values agreed on, the devices that each slot of one replica may have. */
  const candidates = agreed.map((wanted) =>
    slots.map((r) =>
      (suited[r] ?? []).filter(
        (device) =>
          idle[device] === true &&
          constraints.every(
            ({ attribute, requests: among }, c) => !among.has(r) || devices[device]?.[attribute] === wanted[c],
          ),
      ),
    ),
  );
  let best: readonly (readonly number[])[] = [one];
  let steps = 0;
  const chosen: number[] = [];
  const visit = (from: number): void => {
    for (let each = from; each < candidates.length && best.length < most && steps < STEPS; each += 1) {
      steps += 1;
      chosen.push(each);
      const holder = new Map<number, number>();
      if (
        fill(
          chosen.flatMap((place) => candidates[place] ?? []),
          holder,
        )
      ) {
        if (chosen.length > best.length) best = dealt(holder, slots.length, chosen.length);
        visit(each);
      }
      chosen.pop();
    }
  };
  visit(0);
  return best;
}

function dealt(
  holder: ReadonlyMap<number, number>,
  perReplica: number,
  replicas: number,
): readonly (readonly number[])[] {
  const hands = Array.from({ length: replicas }, (): number[] => []);
  for (const [device, slot] of holder) hands[Math.floor(slot / perReplica)]?.push(device);
  return hands.map((hand) => hand.sort((a, b) => a - b)).sort(([a = 0], [b = 0]) => a - b);
}

/** More choices than this are not listed. */
const CHOICES = 500;

/** Every choice of so many of some devices, in ascending order; undefined where there are too many. */
export function choicesOf(devices: readonly number[], count: number): readonly (readonly number[])[] | undefined {
  let choices: readonly (readonly number[])[] = [[]];
  for (let taken = 0; taken < count; taken += 1) {
    choices = choices.flatMap((choice) =>
      devices.filter((device) => device > (choice.at(-1) ?? -1)).map((device) => [...choice, device]),
    );
    if (choices.length > CHOICES) return undefined;
  }
  return choices;
}
