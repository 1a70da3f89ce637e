import { engineAddress, servePlugin } from '../plugin/serve.ts';
import { providerService } from './service.ts';

// Node's compile cache is switched on by the script that starts this (driver/plugins.ts), which says where it lies.
const engine = engineAddress(process.argv.slice(2));
await servePlugin(providerService(engine), engine);
