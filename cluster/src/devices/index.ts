export { devicesOf, type NodeDevices, type NodeGpus, type NodeObject, nodeObjects } from './devices.ts';
export { isLike, lacksOf, type NodePlan, planOf } from './pools.ts';
export { type Suggestion, suggest, suggestionText } from './suggest.ts';
