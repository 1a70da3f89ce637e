import type { ExprType } from './convert.ts';
import { BLOCKS, type BlockName, keysOfBlock, type Shape } from './schema.ts';

type Json = Readonly<Record<string, unknown>>;

const TEMPLATE: Json = { type: 'string', pattern: '\\$\\{\\{|\\$\\[\\[' };
const SCALARS: Readonly<Record<ExprType, Json>> = {
  str: { type: ['string', 'number', 'boolean'] },
  id: { type: 'string' },
  bool: { anyOf: [{ type: 'boolean' }, TEMPLATE] },
  enable: { anyOf: [{ type: 'boolean' }, { const: 'always()' }, TEMPLATE] },
  int: { anyOf: [{ type: 'integer' }, { type: 'string' }] },
  time: { anyOf: [{ type: 'number' }, { type: 'string' }] },
  localPath: { type: 'string' },
  remotePath: { type: 'string' },
  uri: { type: 'string' },
  imageRef: { type: 'string' },
  primitive: { type: ['string', 'number', 'boolean'] },
  bash: { type: 'string' },
  python: { type: 'string' },
  portPair: { type: 'string' },
  restart: { anyOf: [{ enum: ['never', 'on-failure', 'always'] }, TEMPLATE] },
};

/** JSON Schema (draft 2020-12) of every file of the language, for editors. */
export function flowJsonSchema(): Json {
  const files: readonly BlockName[] = [
    'liveFlow',
    'batchFlow',
    'liveAction',
    'batchAction',
    'statefulAction',
    'localAction',
    'project',
  ];
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Flow, action, module or project file',
    anyOf: files.map((name) => ({ $ref: `#/$defs/${name}` })),
    $defs: Object.fromEntries((Object.keys(BLOCKS) as BlockName[]).map((name) => [name, definition(name)])),
  };
}

const KINDS: Readonly<Partial<Record<BlockName, string>>> = {
  liveFlow: 'live',
  batchFlow: 'batch',
  liveAction: 'live',
  batchAction: 'batch',
  statefulAction: 'stateful',
  localAction: 'local',
};

function definition(name: BlockName): Json {
  if (name === 'jobOrCall')
    return { anyOf: [{ $ref: '#/$defs/job' }, { $ref: '#/$defs/jobActionCall' }, { $ref: '#/$defs/jobModuleCall' }] };
  const keys = Object.entries(keysOfBlock(name));
  const shells = keys.filter(([key]) => ['cmd', 'bash', 'python'].includes(key)).map(([key]) => key);
  const required = keys.filter(([key, { required: is }]) => is && !shells.includes(key)).map(([key]) => key);
  const properties = Object.fromEntries(
    keys.map(([key, { shape, text }]) => [
      key,
      { description: text, ...(key === 'kind' ? { const: KINDS[name] } : schemaOf(shape)) },
    ]),
  );
  return { type: 'object', properties, additionalProperties: false, ...(required.length > 0 ? { required } : {}) };
}

function schemaOf(shape: Shape): Json {
  switch (shape.is) {
    case 'value':
      return shape.nullable ? { anyOf: [SCALARS[shape.type], { type: 'null' }] } : SCALARS[shape.type];
    case 'list': {
      const item = shape.nullable ? { anyOf: [SCALARS[shape.type], { type: 'null' }] } : SCALARS[shape.type];
      return shape.template ? { anyOf: [{ type: 'array', items: item }, TEMPLATE] } : { type: 'array', items: item };
    }
    case 'map': {
      const map = { type: 'object', additionalProperties: SCALARS[shape.type] };
      return shape.template ? { anyOf: [map, TEMPLATE] } : map;
    }
    case 'choice':
      return { enum: shape.values };
    case 'block':
      return { anyOf: [{ $ref: `#/$defs/${shape.of}` }, { type: 'null' }] };
    case 'blocks':
      return { anyOf: [{ type: 'object', additionalProperties: { $ref: `#/$defs/${shape.of}` } }, { type: 'null' }] };
    case 'params':
      return {
        anyOf: [
          {
            type: 'object',
            additionalProperties: {
              anyOf: [{ $ref: '#/$defs/param' }, { type: ['string', 'number', 'boolean', 'null'] }],
            },
          },
          { type: 'null' },
        ],
      };
    case 'tasks':
      return {
        type: 'array',
        items: {
          anyOf: [{ $ref: '#/$defs/task' }, { $ref: '#/$defs/taskActionCall' }, { $ref: '#/$defs/taskModuleCall' }],
        },
      };
    case 'needs':
      return {
        anyOf: [
          { type: 'array', items: { type: 'string' } },
          { type: 'object', additionalProperties: { enum: ['completed', 'running'] } },
          { type: 'null' },
        ],
      };
    case 'matrix': {
      const row = { type: 'object', additionalProperties: SCALARS.primitive };
      const values = { anyOf: [{ type: 'array', items: SCALARS.primitive }, TEMPLATE] };
      return {
        anyOf: [
          {
            type: 'object',
            properties: { include: { type: 'array', items: row }, exclude: { type: 'array', items: row } },
            additionalProperties: values,
          },
          { type: 'null' },
        ],
      };
    }
    case 'raw':
      return {};
  }
}
