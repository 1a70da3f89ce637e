import { describe, expect, test, vi } from 'vitest';
import { Delivery } from '../../../../runtime/service/src/collector/search/delivery.ts';
import { type LogSink, type SearchLine, StoreAnswer } from '../../../../runtime/service/src/collector/search/sink.ts';

/* What is sent again to a store that knows equal lines itself, as Loki and Elasticsearch do: this one keeps each once. */

const labels = { node: 'n', namespace: 'delos', pod: 'p', pod_uid: 'u', container: 'c' };
const line = (text: string): SearchLine => ({ time: '2026-01-01T00:00:00Z', text, output: 'stdout', labels });

interface Store extends LogSink {
  readonly kept: Set<string>;
  received: number;
  /** What the next request ends with. */
  fault: { readonly error: Error; readonly taken: boolean } | undefined;
}

function store(): Store {
  const self: Store = {
    name: 'store',
    kept: new Set(),
    received: 0,
    fault: undefined,
    send: async (lines) => {
      const { fault } = self;
      self.fault = undefined;
      if (fault === undefined || fault.taken) for (const { text } of lines) self.kept.add(text);
      if (fault !== undefined) throw fault.error;
      self.received += lines.length;
      return undefined;
    },
  };
  return self;
}

const { signal } = new AbortController();
const never = { sent: () => undefined, resent: () => undefined, refused: () => undefined };

describe('after a request that failed', () => {
  test.each([
    ['though the store had taken it', true],
    ['which the store did not take', false],
  ])('%s, what was sent lately is sent again, and nothing is missing', async (_what, taken) => {
    const sink = store();
    let resent = 0;
    const counts = {
      ...never,
      resent: (lines: number) => {
        resent += lines;
      },
    };
    const delivery = new Delivery(sink, counts);
    await delivery.send([line('one'), line('two')], false, signal);
    // It is started anew, and has lost what it held in memory.
    sink.kept.clear();
    sink.fault = { error: new Error('read ECONNRESET'), taken };
    await expect(delivery.send([line('three')], false, signal)).rejects.toThrow('ECONNRESET');
    await delivery.send([line('three')], false, signal);
    expect([...sink.kept].toSorted()).toEqual(['one', 'three', 'two']);
    expect(resent).toBe(2);
  });

  test('of one that asks to be spared, nothing is sent again', async () => {
    const sink = store();
    const delivery = new Delivery(sink, never);
    await delivery.send([line('one')], false, signal);
    sink.fault = { error: new StoreAnswer(429, 'too many'), taken: false };
    await expect(delivery.send([line('two')], false, signal)).rejects.toThrow('it answered 429: too many');
    await delivery.send([line('two')], false, signal);
    expect(sink.received).toBe(2);
  });
});

test('what is held is let go once the store must have it on its disk', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  try {
    const delivery = new Delivery(store(), never);
    await delivery.send([line('one')], false, signal);
    const held = delivery.heldBytes;
    expect(held).toBeGreaterThan(0);
    vi.advanceTimersByTime(19_000);
    await delivery.look();
    expect(delivery.heldBytes).toBe(held);
    vi.advanceTimersByTime(6_000);
    await delivery.look();
    expect(delivery.heldBytes).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});
