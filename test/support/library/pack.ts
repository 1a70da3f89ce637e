import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import ts from 'typescript';
import { z } from 'zod';
import { compilerOptions, REPOSITORY } from '../docs/compiler.ts';

const run = promisify(execFile);

/** The packages that others install, each after those that it needs, and the entry of each that is for them. */
const FACES = { artifacts: '.', core: '.', constructs: '.', stacks: './program' } as const;
type Folder = keyof typeof FACES;
const FOLDERS = Object.keys(FACES) as readonly Folder[];

/** Their types are part of the public face: whoever builds on it and we must mean one copy of them. */
const SHARED = ['@pulumi/pulumi', 'cdk8s', 'cdk8s-plus-28', 'constructs', 'zod'];

const manifestSchema = z.looseObject({
  name: z.string(),
  version: z.string(),
  exports: z.record(z.string(), z.string()),
  dependencies: z.record(z.string(), z.string()).default({}),
});

/**
 * Packs the library into tarballs, which carry built JavaScript, types and the licence: Node does not strip types from
 * what lies below a `node_modules`.
 * @returns the files, in an order in which each needs only those before it
 * @throws Error for a source that does not compile
 */
export async function packLibrary(target: string): Promise<readonly string[]> {
  await mkdir(target, { recursive: true });
  const staging = await mkdtemp(join(tmpdir(), 'delos-pack-'));
  try {
    const built = await build();
    const files: string[] = [];
    for (const folder of FOLDERS) {
      const place = join(staging, folder);
      await writePackage(folder, place, built);
      const { stdout } = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', target], {
        cwd: place,
      });
      const [packed] = z.tuple([z.object({ filename: z.string() })]).parse(JSON.parse(stdout));
      files.push(join(target, packed.filename));
    }
    return files;
  } finally {
    await rm(staging, { recursive: true });
  }
}

async function writePackage(folder: Folder, place: string, built: ReadonlyMap<string, string>): Promise<void> {
  const { private: _, dependencies, ...rest } = await packageOf(folder);
  const face = FACES[folder];
  const entry = entryOf(folder, rest.exports)
    .replace(/^src\//, '')
    .replace(/\.ts$/, '');
  const own = [...built].filter(([file]) => file.startsWith(`${folder}/`));
  const used = new Set(own.flatMap(([, text]) => packagesIn(text)));
  const needed = Object.entries(dependencies).filter(([name]) => used.has(name));
  const shared = needed.filter(([name]) => SHARED.includes(name));
  const manifest = {
    ...rest,
    exports: { [face]: { types: `./dist/${entry}.d.ts`, default: `./dist/${entry}.js` } },
    files: ['dist'],
    engines: { node: '>=24' },
    dependencies: Object.fromEntries(needed.filter(([name]) => !SHARED.includes(name))),
    peerDependencies: Object.fromEntries(shared.map(([name, version]) => [name, `^${version}`])),
  };
  for (const [file, text] of own) {
    const to = join(place, 'dist', relative(folder, file).replace(/^src\//, ''));
    await mkdir(dirname(to), { recursive: true });
    await writeFile(to, text);
  }
  await writeFile(join(place, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
  await cp(join(REPOSITORY, 'LICENSE'), join(place, 'LICENSE'));
  if (folder === 'constructs') await cp(join(REPOSITORY, 'docs/guides/library.md'), join(place, 'README.md'));
}

const packageOf = async (folder: Folder): Promise<z.infer<typeof manifestSchema>> =>
  manifestSchema.parse(JSON.parse(await readFile(join(REPOSITORY, folder, 'package.json'), 'utf8')));

/** Its source, relative to the folder. */
function entryOf(folder: Folder, exports: Readonly<Record<string, string>>): string {
  const entry = exports[FACES[folder]];
  if (entry === undefined) throw new Error(`${folder}/package.json exports no ${FACES[folder]}`);
  return entry.replace(/^\.\//, '');
}

/** npm packages that a built file names. */
const packagesIn = (text: string): readonly string[] =>
  ts
    .preProcessFile(text, true, true)
    .importedFiles.map(({ fileName }) => fileName)
    .filter((specifier) => !/^(\.|node:)/.test(specifier))
    .map((specifier) => /^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier);

/** Path relative to the repository → JavaScript or types, of every file that the packages' faces lead to. */
async function build(): Promise<ReadonlyMap<string, string>> {
  const entries = await Promise.all(
    FOLDERS.map(async (folder) => join(REPOSITORY, folder, entryOf(folder, (await packageOf(folder)).exports))),
  );
  const program = ts.createProgram(entries, {
    ...compilerOptions(),
    noEmit: false,
    declaration: true,
    rewriteRelativeImportExtensions: true,
    rootDir: REPOSITORY,
    outDir: REPOSITORY,
  });
  const faults = ts.getPreEmitDiagnostics(program);
  if (faults.length > 0) throw new Error(ts.formatDiagnostics(faults, FORMAT));
  const built = new Map<string, string>();
  for (const source of program.getSourceFiles()) {
    const file = relative(REPOSITORY, source.fileName);
    if (source.isDeclarationFile || !FOLDERS.some((folder) => file.startsWith(`${folder}/`))) continue;
    program.emit(source, (name, text) => built.set(relative(REPOSITORY, name), builtSpecifiers(name, text)));
  }
  return built;
}

/** The compiler leaves `./x.ts` in types, where only `./x.js` finds `./x.d.ts` beside it. */
const builtSpecifiers = (name: string, text: string): string =>
  name.endsWith('.d.ts') ? text.replace(/((?:from|import)\s*\(?\s*["']\.{1,2}\/[^"']+)\.ts(["'])/g, '$1.js$2') : text;

const FORMAT: ts.FormatDiagnosticsHost = {
  getCanonicalFileName: (file) => file,
  getCurrentDirectory: () => REPOSITORY,
  getNewLine: () => '\n',
};

// `node test/support/library/pack.ts FOLDER` writes the tarballs there.
if (import.meta.main) {
  const [folder] = process.argv.slice(2);
  if (folder === undefined) throw new Error('expected: node test/support/library/pack.ts FOLDER');
  for (const file of await packLibrary(folder)) console.log(file);
}
