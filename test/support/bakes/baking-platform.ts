import { carryOutBakes } from '../../../runtime/service/src/api/bakes/index.ts';
import { type ApiOnPostgres, startApiOnPostgres } from '../service/control-api.ts';
import { type ProcessAgent, processAgent } from './process-agent.ts';

/** The API over a real PostgreSQL, and the engine, which carries out bakes. Jobs are processes of this machine. */
export interface BakingPlatform {
  readonly served: ApiOnPostgres;
  readonly agent: ProcessAgent;
  stop(): Promise<void>;
}

export async function startBakingPlatform(): Promise<BakingPlatform> {
  const served = await startApiOnPostgres();
  await served.database.notifications.start();
  const agent = await processAgent(served.database, served.api.deps.logs);
  const engine = carryOutBakes(served.api.deps);
  return {
    served,
    agent,
    stop: async () => {
      await engine.close();
      await agent.stop();
      await served.stop();
    },
  };
}
