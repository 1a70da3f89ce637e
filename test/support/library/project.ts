import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { type CommandOptions, type CommandResult, execute } from '../../../peers/src/command.ts';
import { REPOSITORY } from '../docs/compiler.ts';
import { packLibrary } from './pack.ts';

/** The programs of the guide. */
export const EXAMPLE = join(REPOSITORY, 'docs/examples/custom-platform');

/** A folder outside of the repository in which the packed library is installed, as anybody would. */
export interface PackedProject {
  readonly folder: string;
  /** Runs a command in it. */
  run(argv: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  remove(): Promise<void>;
}

const versions = z.object({ devDependencies: z.record(z.string(), z.string()) });

/** An empty project with the tarballs, a compiler and the programs of the guide. */
export async function packedProject(): Promise<PackedProject> {
  const folder = await mkdtemp(join(tmpdir(), 'delos-library-'));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    const tarballs = await packLibrary(join(folder, 'tarballs'));
    const { devDependencies } = versions.parse(JSON.parse(await readFile(join(REPOSITORY, 'package.json'), 'utf8')));
    const tools = ['typescript', '@types/node'].map((name) => `${name}@${devDependencies[name]}`);
    await writeFile(join(folder, 'package.json'), '{ "name": "ours", "type": "module" }');
    const options = ['--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts'];
    await promisify(execFile)('npm', ['install', ...options, ...tarballs, ...tools], { cwd: folder });
    const compilerOptions = {
      ...{ strict: true, module: 'nodenext', target: 'es2024', types: ['node'], noEmit: true },
      allowImportingTsExtensions: true,
    };
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
    await cp(EXAMPLE, folder, { recursive: true });
    const run: PackedProject['run'] = (argv, options = {}) => execute(argv, { cwd: folder, ...options });
    return { folder, run, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
