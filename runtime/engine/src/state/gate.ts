import { contextJson, Dict, dependency, type NeedsLevel, type Value } from '@delos/flow';
import type { Lineage, Texts } from '../model/records.ts';
import type { Gate, TaskNode } from './node.ts';

/** What some tasks wait for together: rows of a matrix share their needs, and so the contexts that follow from them. */
export class SharedNeeds implements Gate {
  readonly members: TaskNode[] = [];
  /** Ids as the tasks call them. Those of level `completed` are seen in the `needs` context. */
  readonly #needs = new Map<string, { readonly node: TaskNode; readonly level: NeedsLevel }>();
  #open = 0;
  #context: Dict | undefined;
  #json: string | undefined;
  #lineage: Lineage['needs'] | undefined;
  /** Values of templates that wait for the needs alone, by their text. */
  readonly values = new Map<string, Value>();

  need(node: TaskNode, level: NeedsLevel): void {
    this.#needs.set(node.localId, { node, level });
    this.#open += 1;
    (level === 'running' ? node.wakeRunning : node.wakeCompleted).push(this);
  }
  /** One need is met; true where it was the last. */
  met(): boolean {
    this.#open -= 1;
    return this.#open === 0;
  }
  /** The `needs` context; of an open gate only. */
  get context(): Dict {
    this.#context ??= needsContext(this.#completed());
    return this.#context;
  }
  get json(): string {
    this.#json ??= contextJson(this.context);
    return this.#json;
  }
  /** Whose results are given, as it is kept in the cache; of an open gate only. */
  get lineage(): Lineage['needs'] {
    this.#lineage ??= this.#completed().map(({ task, jobId }) => ({ task: task.id, jobId }));
    return this.#lineage;
  }
  #completed(): readonly TaskNode[] {
    return [...this.#needs.values()].flatMap(({ node, level }) => (level === 'completed' ? [node] : []));
  }
}

/** `needs` of tasks that have ended. A cached task has succeeded, for whoever asks. */
export function needsContext(nodes: readonly TaskNode[]): Dict {
  return new Dict(
    nodes.map(({ localId, status, outputs }) => [
      localId,
      dependency(status === 'cached' ? 'succeeded' : (status ?? 'skipped'), textsDict(outputs)),
    ]),
  );
}

export const textsDict = (texts: Texts): Dict => new Dict(Object.entries(texts));
