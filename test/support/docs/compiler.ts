import { join } from 'node:path';
import ts from 'typescript';

/** The root of the repository. */
export const REPOSITORY = join(import.meta.dirname, '../../..');

/** The options that every room is compiled with, for a look at some of its files. Nothing is written. */
export function compilerOptions(): ts.CompilerOptions {
  const { config } = ts.readConfigFile(join(REPOSITORY, 'tsconfig.base.json'), (path) => ts.sys.readFile(path));
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, REPOSITORY);
  return {
    ...options,
    noEmit: true,
    composite: false,
    incremental: false,
    declaration: false,
    emitDeclarationOnly: false,
    types: ['node'],
  };
}
