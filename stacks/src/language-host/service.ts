import { type ChildProcess, spawn } from 'node:child_process';
import languageGrpc from '@pulumi/pulumi/proto/language_grpc_pb.js';
import languagePb from '@pulumi/pulumi/proto/language_pb.js';
import pluginPb from '@pulumi/pulumi/proto/plugin_pb.js';
import emptyPb from 'google-protobuf/google/protobuf/empty_pb.js';
import { type PluginService, unary } from '../plugin/serve.ts';
import { launchOf, runnerFor, runtimeOptions } from './launch.ts';
import { answerForSdkVersion } from './provider-version.ts';

const VERSION = '0.1.0';
/** The SDK's runner ends with this code when it has told the engine the error itself. */
const ERROR_WAS_SHOWN = 32;

/** The Node language host: runs a program with the Pulumi SDK that the program itself resolves. */
export function languageService(engine: string | undefined): PluginService {
  const running = new Set<ChildProcess>();
  const interrupt = (): void => {
    for (const child of running) child.kill('SIGINT');
  };

  const implementation = {
    handshake: unary(() => new languagePb.LanguageHandshakeResponse()),

    getPluginInfo: unary(() => {
      const response = new pluginPb.PluginInfo();
      response.setVersion(VERSION);
      return response;
    }),

    about: unary(() => {
      const response = new languagePb.AboutResponse();
      response.setExecutable(process.execPath);
      response.setVersion(process.version);
      return response;
    }),

    // Nothing to fetch: plugins are those that are installed.
    getRequiredPlugins: unary(() => new languagePb.GetRequiredPluginsResponse()),
    getRequiredPackages: unary(async (request: languagePb.GetRequiredPackagesRequest) => {
      const home = process.env.PULUMI_HOME;
      const directory = request.getInfo()?.getProgramDirectory();
      if (home !== undefined && directory !== undefined && directory !== '') await answerForSdkVersion(directory, home);
      return new languagePb.GetRequiredPackagesResponse();
    }),
    getProgramDependencies: unary(() => new languagePb.GetProgramDependenciesResponse()),

    run: unary(async (request: languagePb.RunRequest) => {
      const response = new languagePb.RunResponse();
      const child = startProgram(request, engine ?? request.getArgsList()[0] ?? '');
      running.add(child);
      const { code, signal } = await ended(child);
      running.delete(child);
      if (code === ERROR_WAS_SHOWN) response.setBail(true);
      else if (signal !== null) response.setError(`the program was ended by ${signal}`);
      else if (code !== 0) response.setError(`the program ended with exit code ${code}`);
      return response;
    }),

    cancel: unary(() => {
      interrupt();
      return new emptyPb.Empty();
    }),
  };
  return { definition: languageGrpc.LanguageRuntimeService, implementation, stop: interrupt };
}

function startProgram(request: languagePb.RunRequest, engine: string): ChildProcess {
  const info = request.getInfo();
  const directory = info?.getProgramDirectory() || request.getPwd();
  const entry = info?.getEntryPoint() || request.getProgram() || '.';
  const runner = runnerFor(directory);
  const launch = launchOf(runtimeOptions(info));
  const config = Object.fromEntries(request.getConfigMap().toArray());
  const parallel = request.getParallel();
  const args = [
    ...['--monitor', request.getMonitorAddress(), '--engine', engine],
    ...['--organization', request.getOrganization(), '--project', request.getProject(), '--stack', request.getStack()],
    ...['--root-directory', info?.getRootDirectory() || directory, '--pwd', directory],
    ...(request.getDryrun() ? ['--dry-run'] : []),
    ...(parallel > 0 ? ['--parallel', String(parallel)] : []),
    entry,
    ...request.getArgsList(),
  ];
  return spawn(process.execPath, [...launch.args, runner, ...args], {
    cwd: directory,
    stdio: ['ignore', 'inherit', 'inherit'],
    // Values of secrets go by the environment, which only this user can read, never by arguments.
    env: {
      ...process.env,
      PULUMI_CONFIG: JSON.stringify(config),
      PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(request.getConfigsecretkeysList()),
      ...launch.env,
    },
  });
}

function ended(child: ChildProcess): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
}
