import { engineAddress, servePlugin } from '../plugin/serve.ts';
import { languageService } from './service.ts';

const engine = engineAddress(process.argv.slice(2));
await servePlugin(languageService(engine), engine);
