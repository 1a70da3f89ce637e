import type { BatchTask } from '@delos/engine';
import { expandFlow, type Home, type ImageDefinition, parseFlowFile, type World } from '@delos/flow';
import type { BakeMeta, ConfigsMeta, Texts } from '../../db/flow/tables.ts';

/** What a bake is made of, as its rows tell. */
export interface BakeSource {
  readonly batch: string;
  readonly params: Texts;
  readonly meta: BakeMeta;
  readonly configs: ConfigsMeta;
  /** Configuration files by their ids. `filename` is the path on the machine that they come from. */
  readonly files: ReadonlyMap<string, { readonly filename: string; readonly content: string }>;
  readonly home: Home;
}

/** Most tasks of one bake: all of them are held in memory while it runs. */
export const MOST_TASKS = 20_000;

export interface FlowTasks {
  readonly tasks: readonly BatchTask[];
  /** Images that it may have to build. */
  readonly images: readonly ImageDefinition[];
}

/** The tasks of a bake, or what is wrong with its files. */
export function flowTasks(source: BakeSource): FlowTasks | { readonly why: string } {
  const { batch, params, configs, files } = source;
  const flow = files.get(configs.flow_config_id);
  if (flow === undefined) return { why: 'the file of the flow is not there' };
  const { tasks, images, diagnostics, ok } = expandFlow(parseFlowFile(flow.filename, flow.content, 'flow'), batch, {
    ...worldOf(source),
    params,
  });
  if (!ok) {
    const errors = diagnostics.filter(({ severity }) => severity === 'error');
    return { why: errors.map(({ file, line, column, message }) => `${file}:${line}:${column}: ${message}`).join('\n') };
  }
  if (tasks.length > MOST_TASKS) return { why: `it has ${tasks.length} tasks, at most ${MOST_TASKS} are possible` };
  return { tasks: tasks.flatMap((task) => (task.run === undefined ? [] : [{ ...task, run: task.run }])), images };
}

/** The files as they lay on the user's machine; what is not configuration is not there, as for apolo-flow's own executor. */
function worldOf({ configs, files, meta, home }: BakeSource): World {
  const root = configs.workspace;
  const texts = new Map<string, string>();
  for (const { filename, content } of files.values()) texts.set(filename, content);
  const actions = new Map(
    Object.entries(configs.action_config_ids).flatMap(([reference, id]) => {
      const file = files.get(id);
      return file === undefined ? [] : [[reference, file] as const];
    }),
  );
  for (const [reference, { content }] of actions) {
    const [, path] = /^(?:ws|workspace):(.*)$/s.exec(reference) ?? [];
    if (path !== undefined) texts.set(`${root}/${path}`.replace(/\/(?:\.\/)+/g, '/'), content);
  }
  // Wherever the user's machine had it, it is found where one is looked for first.
  const project = configs.project_config_id === null ? undefined : files.get(configs.project_config_id);
  if (project !== undefined) texts.set(`${root}/.apolo/project.yml`, project.content);
  const git = meta.git_info;
  return {
    place: home.place,
    workspace: { root, read: (path) => texts.get(path), hashFiles: () => EMPTY_HASH },
    ...(git === null ? {} : { git }),
    resolveAction: (spec) => {
      const found = actions.get(`gh:${spec}`) ?? actions.get(`github:${spec}`);
      return found === undefined ? undefined : { file: found.filename, text: found.content };
    },
  };
}

/** SHA-256 of nothing: no file matches any pattern. */
const EMPTY_HASH = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
