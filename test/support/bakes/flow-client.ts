import { chown, mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type ApoloClient, apoloClient } from '../../../peers/src/apolo.ts';
import { type CommandOptions, type CommandResult, expectOk, type RunningCommand } from '../../../peers/src/command.ts';
import { FLOW_WHEELS } from '../../../peers/src/flow-authority.ts';

/** The official apolo-flow, as one person has it, in folders with flows. */
export interface FlowClient {
  readonly apolo: ApoloClient;
  /** Makes a folder with these files. @returns it */
  workspace(files: Readonly<Record<string, string>>): Promise<string>;
  run(workspace: string, args: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  /** What it wrote to stdout. @throws Error when the exit code is not 0 */
  ok(workspace: string, args: readonly string[], options?: CommandOptions): Promise<string>;
  start(workspace: string, args: readonly string[], options?: CommandOptions): RunningCommand;
  close(): Promise<void>;
}

export async function flowClient(): Promise<FlowClient> {
  const apolo = await apoloClient({ wheels: FLOW_WHEELS });
  const { uid } = apolo.user;
  const run: FlowClient['run'] = (workspace, args, options = {}) =>
    apolo.runOther('apolo-flow', args, { ...options, cwd: workspace });
  return {
    apolo,
    run,
    ok: (workspace, args, options) => expectOk(run(workspace, args, options)),
    start: (workspace, args, options = {}) => apolo.startOther('apolo-flow', args, { ...options, cwd: workspace }),
    workspace: async (files) => {
      const folder = await mkdtemp(join(apolo.home, 'flow-'));
      await chown(folder, uid, uid);
      for (const [name, text] of Object.entries(files)) {
        const path = join(folder, name);
        for (let parent = dirname(path); parent !== folder; parent = dirname(parent)) {
          await mkdir(parent, { recursive: true });
          await chown(parent, uid, uid);
        }
        await writeFile(path, text);
        await chown(path, uid, uid);
      }
      return folder;
    },
    close: () => apolo.close(),
  };
}

/** The id of the bake that a command told of. */
export function bakeIn(text: string): string {
  const id = /bake-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/.exec(text)?.[0];
  if (id === undefined) throw new Error(`no bake in: ${text}`);
  return id;
}
