import { engineAddress, servePlugin } from '../plugin/serve.ts';
import { machineService } from './service.ts';

const engine = engineAddress(process.argv.slice(2));
await servePlugin(machineService(engine), engine);
