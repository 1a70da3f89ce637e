import { type Json, type KubeClient, type Query, Reflector } from '@delos/kube';
import { afterEach, expect, test } from 'vitest';
import { until } from '../../support/until.ts';

/** An API of one collection: what is listed, and a watch that the test feeds. */
class Collection implements Pick<KubeClient, 'get' | 'watch'> {
  objects: Json[] = [];
  revision = 1;
  lists = 0;
  #events: unknown[] = [];
  #wake = Promise.withResolvers<void>();
  #ended = false;

  async get(_path: string, query: Query = {}): Promise<Json> {
    this.lists++;
    const offset = Number(query.continue ?? 0);
    const page = this.objects.slice(offset, offset + 2);
    const next = offset + 2 < this.objects.length ? String(offset + 2) : '';
    return { metadata: { resourceVersion: String(this.revision), continue: next }, items: page };
  }

  async *watch(
    _path: string,
    _query: Query,
    _silence: number,
    signal: AbortSignal,
  ): AsyncGenerator<unknown, void, void> {
    signal.addEventListener('abort', () => this.#wake.resolve());
    while (!signal.aborted) {
      const event = this.#events.shift();
      if (event !== undefined) yield event;
      else if (this.#ended) {
        this.#ended = false;
        return;
      } else {
        await this.#wake.promise;
        this.#wake = Promise.withResolvers();
      }
    }
  }

  send(type: string, object: unknown): void {
    this.#events.push({ type, object });
    this.#wake.resolve();
  }

  /** As a server does that restarts. */
  end(): void {
    this.#ended = true;
    this.#wake.resolve();
  }
}

const thing = (name: string, version: number, value = '') => ({
  metadata: { name, namespace: 'ns', resourceVersion: String(version) },
  value,
});

let stop = new AbortController();
afterEach(() => {
  stop.abort();
  stop = new AbortController();
});

async function reflect(collection: Collection) {
  let changes = 0;
  const heard: string[] = [];
  const reflector = new Reflector<string>({
    client: collection,
    path: '/things',
    read: (object) => {
      const { metadata, value } = object as ReturnType<typeof thing>;
      return value === 'hidden' ? undefined : `${metadata.name}${value}`;
    },
    onChange: (value, gone) => {
      changes++;
      heard.push(`${gone ? '-' : '+'}${value}`);
      if (value === 'bad') throw new Error('this one cannot be taken');
    },
    onProblem: () => undefined,
  });
  void reflector.run(stop.signal);
  await reflector.listed;
  return {
    reflector,
    changes: () => changes,
    heard,
    shows: (...expected: readonly string[]) =>
      until(
        `values ${expected.join()}`,
        10,
        (last) => {
          const values = [...reflector.values()].toSorted();
          last(values);
          return values.join() === expected.join() ? true : undefined;
        },
        5,
      ),
  };
}

test('a list of several pages, then what the watch tells', async () => {
  const collection = new Collection();
  collection.objects = [thing('a', 1), thing('b', 1), thing('c', 1)];
  const { shows } = await reflect(collection);
  await shows('a', 'b', 'c');
  collection.send('ADDED', thing('d', 2));
  collection.send('MODIFIED', thing('a', 3, '!'));
  collection.send('DELETED', thing('b', 4));
  await shows('a!', 'c', 'd');
});

test('a change that the parsed form does not show is none', async () => {
  const collection = new Collection();
  collection.objects = [thing('a', 1)];
  const { changes, shows } = await reflect(collection);
  const before = changes();
  collection.send('MODIFIED', thing('a', 2));
  collection.send('ADDED', thing('b', 3));
  await shows('a', 'b');
  expect(changes()).toBe(before + 1);
});

test('a watch that the server ends goes on where it was, without a new list', async () => {
  const collection = new Collection();
  collection.objects = [thing('a', 1)];
  const { shows } = await reflect(collection);
  const { lists } = collection;
  collection.end();
  collection.send('ADDED', thing('b', 5));
  await shows('a', 'b');
  expect(collection.lists).toBe(lists);
});

test('after a watch that fell behind all is listed anew, and what was missed is made good', async () => {
  const collection = new Collection();
  collection.objects = [thing('a', 1), thing('b', 1)];
  const { shows, heard } = await reflect(collection);
  collection.objects = [thing('b', 1), thing('c', 5)];
  collection.revision = 5;
  collection.send('ERROR', { kind: 'Status', code: 410 });
  await shows('b', 'c');
  expect(heard.toSorted()).toEqual(['+a', '+b', '+c', '-a']);
});

test('an object that is not read any more counts as gone', async () => {
  const collection = new Collection();
  collection.objects = [thing('a', 1)];
  const { shows, heard } = await reflect(collection);
  collection.send('MODIFIED', thing('a', 2, 'hidden'));
  await shows();
  expect(heard).toEqual(['+a', '-a']);
});

test('one object that cannot be taken keeps no other from being heard', async () => {
  const collection = new Collection();
  collection.objects = [thing('bad', 1), thing('good', 1)];
  const { shows, heard } = await reflect(collection);
  await shows('bad', 'good');
  expect(heard).toEqual(['+bad', '+good']);
});

test('an expired watch is followed by a list', async () => {
  const collection = new Collection();
  const { shows } = await reflect(collection);
  collection.objects = [thing('a', 7)];
  collection.revision = 7;
  collection.send('ERROR', { kind: 'Status', code: 410 });
  await shows('a');
});

test('what was read past the watch counts at once when it is news', async () => {
  const collection = new Collection();
  const { reflector, shows } = await reflect(collection);
  reflector.put(...[thing('a', 9)]);
  expect([...reflector.values()]).toEqual(['a']);
  collection.send('ADDED', thing('a', 9));
  collection.send('MODIFIED', thing('a', 10, '!'));
  await shows('a!');
});

test('what was read past the watch does not bring back what was deleted since', async () => {
  const collection = new Collection();
  collection.objects = [thing('a', 1)];
  const { reflector, shows } = await reflect(collection);
  collection.send('DELETED', thing('a', 4));
  await shows();
  reflector.put(...[thing('a', 3)]);
  expect([...reflector.values()]).toEqual([]);
});

test('what was read past the watch does not undo what came later', async () => {
  const collection = new Collection();
  collection.objects = [thing('a', 1)];
  const { reflector, shows } = await reflect(collection);
  collection.send('MODIFIED', thing('a', 6, '!'));
  await shows('a!');
  reflector.put(...[thing('a', 5)]);
  expect([...reflector.values()]).toEqual(['a!']);
});

test('an old deletion does not take away an object of the same name made since', async () => {
  const collection = new Collection();
  collection.objects = [thing('a', 1)];
  const { reflector, shows } = await reflect(collection);
  reflector.put(...[thing('a', 8, '2')]);
  collection.send('DELETED', thing('a', 5));
  collection.send('ADDED', thing('b', 9));
  await shows('a2', 'b');
});
