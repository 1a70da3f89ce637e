import { engineAddress, servePlugin } from '../plugin/serve.ts';
import { localService } from './service.ts';

const engine = engineAddress(process.argv.slice(2));
await servePlugin(localService(engine), engine);
