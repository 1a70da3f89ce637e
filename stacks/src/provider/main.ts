import { enableCompileCache } from 'node:module';
import { engineAddress, servePlugin } from '../plugin/serve.ts';

enableCompileCache();
const { providerService } = await import('./service.ts');
const engine = engineAddress(process.argv.slice(2));
await servePlugin(providerService(engine), engine);
