import { type Block, entriesOf, fieldOf } from '../file/block.ts';
import { str } from '../python/text.ts';
import { Dict, type PySet, type Struct, truthy, type Value } from '../python/value.ts';
import { actionOf } from './action.ts';
import { evaluateMergedList, evaluateOne } from './collections.ts';
import {
  actionFlow,
  flowContext,
  gitContext,
  paramsContext,
  projectContext,
  volumesContext,
} from './contexts/flow-contexts.ts';
import { earlyImages, imagesContext } from './contexts/images.ts';
import { evaluateArgs, inputsContext } from './contexts/inputs.ts';
import { groundScope, named, over } from './contexts/scopes.ts';
import type { Files, World } from './contexts/world.ts';
import type { ExpandedTask, LiveFields } from './expanded-task.ts';
import { unitFields } from './fields.ts';
import { type Defaults, defaultsBlock, evaluateDefaults, id2tag, NO_DEFAULTS } from './inherited.ts';
import { type Layered, type Mixins, resolveMixins, withMixins } from './merge.ts';
import { attempt, each, type FieldScope, type Known, Refused } from './outcome.ts';

/** Jobs of a live flow, each as it would start with the parameters given. */
export function expandLive(
  world: World,
  files: Files,
  flow: Block,
  project: Block | undefined,
  name: string,
): readonly ExpandedTask[] {
  const both = [project, flow];
  const projectCtx = projectContext(world, project);
  const flowCtx = flowContext(world, flow, name, projectCtx);
  const ground = groundScope(world, { jobs: true });
  const first = over(ground, named({ project: projectCtx, flow: flowCtx, git: gitContext(world) }));
  const refusedDefaults = both.some((block) => block?.refused.has('defaults'));
  const layers = defaultsBlock(flow, project);
  const defaults = refusedDefaults ? undefined : attempt(() => evaluateDefaults(layers, first, flowCtx))?.value;
  const volumes = attempt(() => volumesContext(both, first, world.workspace.root))?.value;
  const images = attempt(() => imagesContext(earlyImages(world, both, first, false), first))?.value.context;
  const env = layers?.refused.has('env') === true ? undefined : defaults?.env;
  const place: JobPlace = {
    world,
    files,
    at: over(first, named({ env, tags: defaults?.tags, volumes, images })),
    tags: (defaults?.tags as PySet | undefined)?.items.map(str) ?? [],
    flow: flowCtx,
    defaults: defaults?.defaults ?? NO_DEFAULTS,
    mixins: resolveMixins(both),
  };
  return [...entriesOf(flow, 'jobs')].flatMap(([id, job]) => attempt(() => expandJob(id, job, place))?.value ?? []);
}

interface JobPlace {
  readonly world: World;
  readonly files: Files;
  readonly at: FieldScope;
  readonly tags: readonly string[];
  readonly flow: Struct;
  readonly defaults: Defaults;
  readonly mixins: Mixins;
}

function expandJob(id: string, job: Block, place: JobPlace): ExpandedTask {
  const called = calledAction(job, place);
  const action = called === 'unresolved' ? undefined : called;
  const body: Layered =
    action === undefined ? withMixins(job, place.mixins) : (fieldOf(action, 'job', 'block') as Block);
  // Only one job runs at a time: parameters of the others stay open.
  const params = attempt(() => paramsContext({ ...place.world, openParams: true }, job, place.at, false))?.value;
  const multi = body.fields.multi;
  const several = body.refused.has('multi') || (multi?.kind === 'expr' && truthy(multi.constant));
  const at = over(place.at, named({ params, ...(several ? { multi: undefined } : {}) }));
  if (called === 'unresolved') {
    evaluateArgs(job, at);
    throw new Refused();
  }
  const { scope, defaults } = jobScope(job, action, place, at);
  const [fields, live] = each(
    [
      () => unitFields(body, scope, { defaults, tags: [...place.tags, `job:${id2tag(id)}`] }),
      () => liveFields(body, scope),
    ] as const,
    (run) => run(),
  ) as [ReturnType<typeof unitFields>, LiveFields];
  if (fields.image === null && !body.refused.has('image')) {
    const span = body.fields.image?.kind === 'expr' ? body.fields.image : (job.key ?? job);
    job.report.add('FLOW_IMAGE', span, `the job \`${id}\` has no \`image\``, 'write `image:` and what to run');
    throw new Refused();
  }
  const title: Known = fields.title ?? `${str(place.flow.fields.flow_id as Value)}.${id}`;
  return {
    id,
    kind: 'job',
    needs: {},
    enable: true,
    matrix: new Dict(),
    fields: { ...fields, title, ...live },
    cacheKey: null,
    cacheKeyReason: 'jobs are not cached',
    source: job,
  };
}

/** The live action or module that a job calls; undefined where it calls none. @throws Refused */
function calledAction(job: Block, place: JobPlace): Block | 'unresolved' | undefined {
  if (job.name === 'job') return undefined;
  const action = actionOf(job, job.name === 'jobModuleCall' ? 'module' : 'action', place);
  if (action === undefined) return 'unresolved';
  if (action.name === 'liveAction') return action;
  const span = fieldOf(job, 'action', 'expr') ?? fieldOf(job, 'module', 'expr') ?? job;
  const kind = action.name.replace('Action', '');
  job.report.add(
    'FLOW_ACTION',
    span,
    `an action of kind ${kind} cannot be used in a live flow`,
    'its kind must be live',
  );
  throw new Refused();
}

/** @throws Refused */
function liveFields(body: Layered, at: FieldScope): LiveFields {
  const [detach = null, browse = null] = each(['detach', 'browse'], (name) => evaluateOne(body.fields[name], at));
  return {
    detach: detach ?? false,
    browse: browse ?? false,
    port_forward: evaluateMergedList(body.fields.port_forward, at),
  };
}

interface JobScope {
  readonly scope: FieldScope;
  readonly defaults: Defaults;
}

/** Calls of actions see their inputs alone, and take no defaults; modules see both. @throws Refused */
function jobScope(job: Block, action: Block | undefined, place: JobPlace, at: FieldScope): JobScope {
  if (action === undefined) return { scope: at, defaults: place.defaults };
  const inputs = inputsContext(job, entriesOf(action, 'inputs'), at);
  if (job.name === 'jobModuleCall') return { scope: over(at, { values: { inputs } }), defaults: place.defaults };
  const flow = actionFlow(place.flow, action.report.file);
  return { scope: over(groundScope(place.world), { values: { flow, inputs } }), defaults: NO_DEFAULTS };
}
