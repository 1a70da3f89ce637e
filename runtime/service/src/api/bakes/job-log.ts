import { LogCommands } from '@delos/flow';
import type { Texts } from '../../db/flow/tables.ts';
import type { LogStore } from '../../logs/log-store.ts';
import { LogRenderer } from '../../logs/renderer.ts';

/** Chunks that are held at once. */
const CHUNKS = 4;
/** Of one task's outputs and states together. */
export const MOST_OUTPUT_BYTES = 512 * 1024;

/** What a job's log says for other tasks; undefined while more of it may come. */
export async function readResults(
  logs: LogStore,
  jobId: string,
): Promise<{ readonly outputs: Texts; readonly state: Texts } | { readonly why: string } | undefined> {
  const commands = new LogCommands();
  for (let attempt = 0; ; attempt += 1) {
    const { over, last, removed } = await logs.progress({ jobId, attempt });
    if (!over) return undefined;
    if (removed) return { why: 'its log was removed before its outputs were read' };
    const renderer = new LogRenderer();
    for (let offset = 0; ; ) {
      const chunks = await logs.chunks({ jobId, attempt, offset }, CHUNKS);
      if (chunks.length === 0) break;
      for (const chunk of chunks) {
        const bytes = await chunk.bytes();
        commands.push(renderer.push(bytes.subarray(Math.max(0, offset - chunk.start))));
        offset = chunk.start + chunk.length;
      }
    }
    commands.push(renderer.end());
    if (attempt >= last) break;
  }
  commands.end();
  const results = { outputs: Object.fromEntries(commands.outputs), state: Object.fromEntries(commands.states) };
  const size = Buffer.byteLength(JSON.stringify(results));
  if (size <= MOST_OUTPUT_BYTES) return results;
  return { why: `its outputs and states have ${size} bytes, at most ${MOST_OUTPUT_BYTES} are kept` };
}
