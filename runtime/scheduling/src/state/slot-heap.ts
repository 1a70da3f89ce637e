/** What a heap asks of the table of jobs. */
export interface SlotOrder {
  before(a: number, b: number): boolean;
  place(slot: number): number;
  setPlace(slot: number, place: number): void;
}

/** Numbers of waiting jobs by age, then id: a binary heap that knows where each one is. */
export class SlotHeap {
  readonly #slots: number[] = [];
  readonly #order: SlotOrder;

  constructor(order: SlotOrder) {
    this.#order = order;
  }

  get size(): number {
    return this.#slots.length;
  }

  /** The oldest; undefined where none waits. */
  peek(): number | undefined {
    return this.#slots[0];
  }

  push(slot: number): void {
    this.#up(this.#slots.push(slot) - 1, slot);
  }

  remove(slot: number): void {
    const place = this.#order.place(slot);
    const last = this.#slots.pop() as number;
    this.#order.setPlace(slot, -1);
    if (last === slot) return;
    const above = (place - 1) >> 1;
    if (place > 0 && this.#order.before(last, this.#slots[above] as number)) this.#up(place, last);
    else this.#down(place, last);
  }

  /** In no order. */
  values(): readonly number[] {
    return this.#slots;
  }

  #set(place: number, slot: number): void {
    this.#slots[place] = slot;
    this.#order.setPlace(slot, place);
  }

  #up(from: number, slot: number): void {
    let place = from;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = this.#slots[above] as number;
      if (!this.#order.before(slot, parent)) break;
      this.#set(place, parent);
      place = above;
    }
    this.#set(place, slot);
  }

  #down(from: number, slot: number): void {
    const slots = this.#slots;
    let place = from;
    for (;;) {
      let below = 2 * place + 1;
      if (below >= slots.length) break;
      if (below + 1 < slots.length && this.#order.before(slots[below + 1] as number, slots[below] as number))
        below += 1;
      const child = slots[below] as number;
      if (!this.#order.before(child, slot)) break;
      this.#set(place, child);
      place = below;
    }
    this.#set(place, slot);
  }
}
