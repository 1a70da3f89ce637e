import { type Block, fieldOf } from '../file/block.ts';
import { str } from '../python/text.ts';
import type { PySet } from '../python/value.ts';
import { checkImages, checkLocals, checkVolumes } from './checks/bake-checks.ts';
import { FLOW_TASK } from './checks/check.ts';
import {
  flowContext,
  gitContext,
  noGit,
  paramsContext,
  projectContext,
  volumesContext,
} from './contexts/flow-contexts.ts';
import { earlyImages, imagesContext } from './contexts/images.ts';
import { groundScope, named, over } from './contexts/scopes.ts';
import type { Files, World } from './contexts/world.ts';
import { buildGraph } from './graph/graph.ts';
import type { GraphPlace } from './graph/task-node.ts';
import {
  BASE_CACHE,
  BASE_STRATEGY,
  cacheOf,
  defaultsBlock,
  evaluateDefaults,
  NO_DEFAULTS,
  strategyContext,
  strategyOf,
} from './inherited.ts';
import { type Found, LevelExpansion } from './level.ts';
import { resolveMixins } from './merge.ts';
import { attempt } from './outcome.ts';

/** Sets a batch flow up, checks it and expands it. `name`: its id where the file gives none. */
export function expandBatch(
  world: World,
  files: Files,
  flow: Block,
  project: Block | undefined,
  name: string,
): Pick<Found, 'tasks' | 'builds'> {
  const found: Found = { tasks: [], images: [], builds: [], locals: [] };
  if (attempt(() => setUp(world, files, flow, project, name, found)) === undefined) return { tasks: [], builds: [] };
  checkVolumes([project, flow]);
  checkImages(found.images);
  checkLocals(found.locals, found.tasks);
  return found;
}

/** A part that is refused must not hide what is wrong with the tasks: they are expanded with what there is. */
function setUp(world: World, files: Files, flow: Block, project: Block | undefined, name: string, found: Found): void {
  const both = [project, flow];
  const projectCtx = projectContext(world, project);
  const flowCtx = flowContext(world, flow, name, projectCtx);
  const ground = groundScope(world);
  const params = attempt(() => paramsContext(world, flow, ground, true))?.value;
  const early = over(ground, named({ project: projectCtx, flow: flowCtx, git: noGit(), params }));
  const images = attempt(() => earlyImages(world, both, early, false))?.value;
  found.images.push(...(images?.images.values() ?? []));
  const refusedDefaults = both.some((block) => block?.refused.has('defaults'));
  const layers = defaultsBlock(flow, project);
  const defaults = refusedDefaults ? undefined : attempt(() => evaluateDefaults(layers, early, flowCtx))?.value;
  const volumes = attempt(() => volumesContext(both, early, world.workspace.root))?.value;
  const built = images === undefined ? undefined : imagesContext(images, early);
  found.builds.push(...(built?.definitions ?? []));
  const env = layers?.refused.has('env') === true ? undefined : defaults?.env;
  const setup = over(early, named({ env, tags: defaults?.tags, volumes, images: built?.context }));
  const cacheBlocks = both.map((block) => fieldOf(fieldOf(block, 'defaults', 'block'), 'cache', 'block'));
  const cache = attempt(() => cacheBlocks.reduce((conf, block) => cacheOf(conf, block, setup), BASE_CACHE))?.value;
  const strategy = attempt(() => strategyOf(BASE_STRATEGY, layers, setup))?.value ?? BASE_STRATEGY;
  const mixins = resolveMixins(both);
  const top = over(setup, named({ strategy: strategyContext(strategy) }));
  const place: GraphPlace = {
    world,
    files,
    at: top,
    strategy,
    cache: cache ?? BASE_CACHE,
    mixins,
    early: false,
  };
  const graph = buildGraph(fieldOf(flow, 'tasks', 'tasks'), place);
  new LevelExpansion(found, {
    flow: flowCtx,
    top,
    tags: (defaults?.tags as PySet | undefined)?.items.map(str) ?? [],
    prefix: [],
    place,
    at: over(top, named({ git: gitContext(world) })),
    shape: FLOW_TASK,
    inputs: new Set(),
    defaults: defaults?.defaults ?? NO_DEFAULTS,
    callers: [],
  }).expand(graph);
}
