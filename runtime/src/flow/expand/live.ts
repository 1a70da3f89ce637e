import { type Block, entriesOf, fieldOf } from '../file/block.ts';
import { str } from '../python/text.ts';
import { Dict, type PySet, type Struct, truthy, type Value } from '../python/value.ts';
import { actionOf } from './action.ts';
import { defaultProjectId, type ExpandedTask } from './batch.ts';
import { inputsContext, unitFields } from './fields.ts';
import { earlyImages, imagesContext } from './images.ts';
import { type Layered, resolveMixins, withMixins } from './merge.ts';
import { attempt, each, type Known, Refused } from './outcome.ts';
import * as setup from './setup.ts';
import type { Files, World } from './world.ts';

/** Jobs of a live flow, each as it would start with the parameters given. */
export function expandLive(
  world: World,
  files: Files,
  flow: Block,
  project: Block | undefined,
  name: string,
): readonly ExpandedTask[] {
  const projectCtx = setup.projectContext(world, project, defaultProjectId(world));
  const flowCtx = setup.flowContext(world, flow, name, projectCtx);
  const git = setup.gitContext(world, true);
  const first: setup.Contexts = { project: projectCtx, flow: flowCtx, ...(git === undefined ? {} : { git }) };
  const open = git === undefined ? ['git'] : [];
  const at = setup.fieldScope(world, first, open);
  const both = [project, flow];
  const defaults = attempt(() => setup.evaluateDefaults(setup.defaultsBlock(flow, project), at, flowCtx));
  const volumes = attempt(() => {
    const all = each(both, (block) => setup.volumesContext(entriesOf(block, 'volumes'), at, world.workspace.root));
    return new Dict(all.flatMap((part) => [...part.entries()]));
  });
  const images = attempt(() => {
    const all = each(both, (block) => earlyImages(world, entriesOf(block, 'images'), at, false));
    return imagesContext(new Map(all.flatMap((part) => [...part])), at);
  });
  const mixins = attempt(() => resolveMixins(new Map([...entriesOf(project, 'mixins'), ...entriesOf(flow, 'mixins')])));
  const own = { env: defaults?.value.env, tags: defaults?.value.tags, volumes: volumes?.value, images: images?.value };
  const contexts = {
    ...first,
    ...Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined)),
  } as setup.Contexts;
  const later = [...open, ...Object.entries(own).flatMap(([key, value]) => (value === undefined ? [key] : []))];
  const tags = (defaults?.value.tags as PySet | undefined)?.items.map(str) ?? [];
  const place: JobPlace = {
    world,
    files,
    contexts,
    later,
    tags,
    flow: flowCtx,
    defaults: defaults?.value.defaults ?? setup.NO_DEFAULTS,
    mixins: mixins?.value ?? new Map(),
  };
  return [...entriesOf(flow, 'jobs')].flatMap(([id, job]) => attempt(() => expandJob(id, job, place))?.value ?? []);
}

interface JobPlace {
  readonly world: World;
  readonly files: Files;
  readonly contexts: setup.Contexts;
  readonly later: readonly string[];
  readonly tags: readonly string[];
  readonly flow: Struct;
  readonly defaults: setup.Defaults;
  readonly mixins: ReadonlyMap<string, Layered>;
}

function expandJob(id: string, job: Block, place: JobPlace): ExpandedTask {
  const { world, files, contexts, later } = place;
  const action =
    job.name === 'job'
      ? undefined
      : actionOf(job, job.name === 'jobModuleCall' ? 'module' : 'action', { world, files });
  if (action !== undefined && action.name !== 'liveAction') {
    const span = fieldOf(job, 'action', 'expr') ?? fieldOf(job, 'module', 'expr') ?? job;
    job.report.add(
      'FLOW_ACTION',
      span,
      `an action of kind ${action.name.replace('Action', '')} cannot be used in a live flow`,
      'its kind must be live',
    );
    throw new Refused();
  }
  const body: Layered =
    action === undefined ? withMixins(job, place.mixins) : (fieldOf(action, 'job', 'block') as Block);
  // Only one job runs at a time: parameters of the others stay open.
  const openWorld = { ...world, openParams: true };
  const params = setup.paramsContext(openWorld, job, setup.fieldScope(world, contexts, later), false);
  const multi = body.fields.multi?.kind === 'expr' && truthy(body.fields.multi.constant);
  const outer = { ...contexts, params };
  const outerLater = [...later, ...(multi ? ['multi'] : [])];
  const at = setup.fieldScope(world, outer, outerLater, { jobs: true });
  const { scope: inner, defaults, env } = jobScope(job, action, place, outer, outerLater, at);
  const fields = unitFields(body, inner, { defaults, tags: [...place.tags, `job:${setup.id2tag(id)}`], env });
  if (fields.image === null) {
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
    fields: { ...fields, title },
    cacheKey: null,
    cacheKeyReason: 'jobs are not cached',
    source: job,
  };
}

function jobScope(
  job: Block,
  action: Block | undefined,
  place: JobPlace,
  outer: setup.Contexts,
  later: readonly string[],
  at: ReturnType<typeof setup.fieldScope>,
): {
  readonly scope: ReturnType<typeof setup.fieldScope>;
  readonly defaults: setup.Defaults;
  readonly env: ReadonlyMap<string, Known>;
} {
  const env = outer.env instanceof Dict ? outer.env : new Dict();
  const inherited = new Map([...env.entries()].map(([name, value]): readonly [string, Known] => [str(name), value]));
  if (action === undefined) return { scope: at, defaults: place.defaults, env: inherited };
  const inputs = inputsContext(job, entriesOf(action, 'inputs'), at);
  if (job.name === 'jobModuleCall') {
    return {
      scope: setup.fieldScope(place.world, { ...outer, inputs }, later),
      defaults: place.defaults,
      env: inherited,
    };
  }
  const flow = setup.actionFlow(place.flow, action.report.file);
  return { scope: setup.fieldScope(place.world, { flow, inputs }), defaults: setup.NO_DEFAULTS, env: new Map() };
}
