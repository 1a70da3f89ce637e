import { createRequire } from 'node:module';
import { join } from 'node:path';
import type languagePb from '@pulumi/pulumi/proto/language_pb.js';

export interface Launch {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

const HOOKS = new URL('./program-hooks.ts', import.meta.url).href;

/**
 * How Node is started for a program, by the runtime's options in Pulumi.yaml. `nodeargs` are flags of Node.
 * - `typescript: false`: Node takes the files as they are. It takes TypeScript of which the types can just be left out.
 * - `typescript: true`: the SDK's ts-node checks the types and compiles, as the official host does by default.
 * - otherwise the program's own compiler compiles without looking at the types, which is many times faster.
 */
export function launchOf(options: Readonly<Record<string, unknown>>): Launch {
  const asked = typeof options.nodeargs === 'string' ? options.nodeargs.split(/\s+/).filter((flag) => flag !== '') : [];
  const quiet = ['ExperimentalWarning', 'MODULE_TYPELESS_PACKAGE_JSON'].map((name) => `--disable-warning=${name}`);
  if (options.typescript === true) {
    return { args: [...quiet, ...asked], env: { PULUMI_NODEJS_TYPESCRIPT: 'true', ...tsconfig(options) } };
  }
  const compile = options.typescript === false ? [] : ['--enable-source-maps', `--import=${HOOKS}`];
  return { args: [...quiet, ...compile, ...asked], env: { PULUMI_NODEJS_TYPESCRIPT: 'false' } };
}

const tsconfig = (options: Readonly<Record<string, unknown>>): Record<string, string> =>
  typeof options.tsconfig === 'string' ? { PULUMI_NODEJS_TSCONFIG_PATH: options.tsconfig } : {};

/** Options of the runtime in Pulumi.yaml, as the engine hands them over. */
export function runtimeOptions(info: languagePb.ProgramInfo | undefined): Readonly<Record<string, unknown>> {
  return info?.getOptions()?.toJavaScript() ?? {};
}

/** The SDK's runner, of the SDK that the program itself resolves. @throws Error where it has none */
export function runnerFor(directory: string): string {
  try {
    return createRequire(join(directory, 'package.json')).resolve('@pulumi/pulumi/cmd/run');
  } catch (error) {
    throw new Error(`the program in ${directory} has no package @pulumi/pulumi: run \`npm install\` there`, {
      cause: error,
    });
  }
}
