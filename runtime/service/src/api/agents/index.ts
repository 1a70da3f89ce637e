export { AgentHub } from './hub.ts';
export { type AgentsPart, agentRoutes } from './routes.ts';
