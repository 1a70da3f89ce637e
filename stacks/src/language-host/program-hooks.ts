/*
 * Loaded before a program of TypeScript. Node takes TypeScript too, but not all of it: an import of a type by a plain
 * `import`, an enum, and a file named without its extension all stop it. The program's own compiler takes them. It
 * compiles each file by itself and does not check types.
 */
import { readFileSync } from 'node:fs';
import { createRequire, registerHooks } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const EXTENSIONS = ['.ts', '.js', '.mts', '.cts', '.mjs', '.cjs', '.json'] as const;
/** By a path, not by a package's name. */
const RELATIVE = /^(\.{0,2}\/|\.{1,2}$)/;
/** Loaded with the first file of TypeScript: a program of JavaScript needs none. */
let compiler: Compiler | 'none' | undefined;

registerHooks({
  resolve(specifier, context, next) {
    try {
      return next(specifier, context);
    } catch (error) {
      if (!RELATIVE.test(specifier) || context.parentURL?.includes('/node_modules/') === true) throw error;
      for (const candidate of candidates(specifier)) {
        try {
          return next(candidate, context);
        } catch {
          // The next one may be there.
        }
      }
      throw error;
    }
  },
  load(url, context, next) {
    const path = url.split('?')[0] ?? url;
    if (!/\.[cm]?ts$/.test(path) || path.includes('/node_modules/')) return next(url, context);
    compiler ??= loadCompiler() ?? 'none';
    if (compiler === 'none') return next(url, context);
    const file = fileURLToPath(path);
    const isModule = file.endsWith('.mts') || (context.format === 'module-typescript' && !file.endsWith('.cts'));
    const source = compiled(compiler, file, isModule);
    return { format: isModule ? 'module' : 'commonjs', source, shortCircuit: true };
  },
});

/** What a name without its extension, of a folder, or of a compiled file may mean. */
function candidates(specifier: string): readonly string[] {
  const source = /\.[cm]?js$/.test(specifier) ? [specifier.replace(/js$/, 'ts')] : [];
  const folder = specifier.replace(/\/$/, '');
  return [
    ...source,
    ...EXTENSIONS.map((extension) => `${specifier}${extension}`),
    ...EXTENSIONS.map((extension) => `${folder}/index${extension}`),
  ];
}

type CompilerOptions = Readonly<Record<string, unknown>>;

interface Diagnostic {
  readonly category: number;
  readonly messageText: unknown;
  readonly start?: number;
  readonly file?: {
    getLineAndCharacterOfPosition(position: number): { readonly line: number; readonly character: number };
  };
}

/** The part of the package `typescript` that is used here. The program brings the package, in any version. */
interface CompilerApi {
  readonly ModuleKind: { readonly CommonJS: number; readonly ESNext: number };
  readonly ScriptTarget: { readonly ES2020: number };
  readonly DiagnosticCategory: { readonly Error: number };
  transpileModule(
    source: string,
    options: { readonly fileName: string; readonly compilerOptions: CompilerOptions; readonly reportDiagnostics: true },
  ): { readonly outputText: string; readonly diagnostics?: readonly Diagnostic[] };
  parseConfigFileTextToJson(
    fileName: string,
    text: string,
  ): { readonly config?: { readonly compilerOptions?: unknown } };
  convertCompilerOptionsFromJson(options: unknown, folder: string): { readonly options: CompilerOptions };
  flattenDiagnosticMessageText(text: unknown, newLine: string): string;
}

interface Compiler {
  readonly api: CompilerApi;
  readonly options: CompilerOptions;
}

/** The program's compiler, else the old one that the SDK brings. Undefined where it has no API: then Node does it. */
function loadCompiler(): Compiler | undefined {
  const require = createRequire(join(process.cwd(), 'package.json'));
  for (const name of ['typescript', '@pulumi/pulumi/vendor/typescript@3.8.3/typescript.js']) {
    try {
      const api = require(name) as CompilerApi;
      if (typeof api.transpileModule === 'function') return { api, options: projectOptions(api) };
    } catch {
      // Not installed.
    }
  }
  return undefined;
}

function projectOptions(api: CompilerApi): CompilerOptions {
  try {
    const { config } = api.parseConfigFileTextToJson('tsconfig.json', readFileSync('tsconfig.json', 'utf8'));
    return api.convertCompilerOptionsFromJson(config?.compilerOptions ?? {}, process.cwd()).options;
  } catch {
    return {};
  }
}

function compiled({ api, options }: Compiler, file: string, isModule: boolean): string {
  const own: CompilerOptions = {
    esModuleInterop: true,
    ...options,
    module: isModule ? api.ModuleKind.ESNext : api.ModuleKind.CommonJS,
    target: api.ScriptTarget.ES2020,
    sourceMap: false,
    inlineSourceMap: true,
    declaration: false,
    noEmit: false,
  };
  const { outputText, diagnostics } = api.transpileModule(readFileSync(file, 'utf8'), {
    fileName: file,
    compilerOptions: own,
    reportDiagnostics: true,
  });
  const wrong = (diagnostics ?? []).filter(({ category }) => category === api.DiagnosticCategory.Error);
  const syntax = wrong.find(({ file: place }) => place !== undefined);
  if (syntax?.file !== undefined) {
    const { line, character } = syntax.file.getLineAndCharacterOfPosition(syntax.start ?? 0);
    const message = api.flattenDiagnosticMessageText(syntax.messageText, '\n');
    throw new SyntaxError(`${file}:${line + 1}:${character + 1}: ${message}`);
  }
  return outputText;
}
