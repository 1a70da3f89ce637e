import { type JsonObject, libraryAccess, type Path } from '@delos/kube';
import grpc from '@grpc/grpc-js';
import pluginPb from '@pulumi/pulumi/proto/plugin_pb.js';
import providerGrpc from '@pulumi/pulumi/proto/provider_grpc_pb.js';
import providerPb from '@pulumi/pulumi/proto/provider_pb.js';
import emptyPb from 'google-protobuf/google/protobuf/empty_pb.js';
import type structPb from 'google-protobuf/google/protobuf/struct_pb.js';
import { connect, type ObjectClient } from '../kube/object-client.ts';
import { type EngineLog, engineLog } from '../plugin/engine-log.ts';
import { type PluginService, StatusError, unary } from '../plugin/serve.ts';
import { check } from './check.ts';
import { type Change, changes, renderPath } from './compare.ts';
import { diff } from './diff.ts';
import type { Failure } from './failure.ts';
import { decodeYaml } from './functions.ts';
import { initFailure } from './init-failure.ts';
import { idOf, outputsOf, parseType, refOf, sayRef, secretPaths, toState } from './layout.ts';
import { create, read, remove, update, type Work } from './operations.ts';
import { previewOfCreation } from './preview.ts';
import { isOtherCluster, type ProviderSettings, providerSettings } from './settings.ts';
import { refusedFunction, refusedOptions } from './unsupported.ts';
import { typeOfUrn } from './urn.ts';
import { decode, encode } from './wire.ts';

/** Below any version of the official provider, which is therefore preferred where both are. */
const OWN_VERSION = '0.1.0';

/**
 * The version that the engine looked for: it compares it with what the plugin says. The start script tells its own
 * path, whose folder is named after it.
 */
function version(): string {
  return /\/resource-kubernetes-v(\d+\.\d+\.\d+)\//.exec(process.env.DELOS_PLUGIN_PATH ?? '')?.[1] ?? OWN_VERSION;
}

/** The Kubernetes resource provider, one instance a process, as the engine calls it. */
export function providerService(engine: string | undefined): PluginService {
  const log: EngineLog = engineLog(engine);
  const stopped = new AbortController();
  let settings: ProviderSettings = providerSettings({});
  let client: Promise<ObjectClient> | undefined;
  const cluster = (): Promise<ObjectClient> => {
    client ??= connect(settings.connection);
    return client;
  };

  const work = async (urn: string, timeout = 0, ignoreChanges: readonly string[] = []): Promise<Work> => ({
    client: await cluster(),
    urn,
    timeout,
    ignoreChanges,
    force: settings.force,
    signal: stopped.signal,
    report: (message) => log.status(urn, message),
  });

  const encoded = (outputs: JsonObject, type: string, secrets: readonly Path[]): structPb.Struct => {
    const parsed = parseType(type);
    return encode(outputs, secretPaths(parsed?.kind ?? '', parsed?.apiVersion ?? '', secrets));
  };

  const encodedInputs = (inputs: JsonObject, type: string, secrets: readonly Path[]): structPb.Struct => {
    const values: readonly Path[] = parseType(type)?.kind === 'Secret' ? [['data'], ['stringData']] : [];
    return encode(inputs, [...secrets, ...values]);
  };

  const implementation = {
    handshake: unary(() => {
      const response = new providerPb.ProviderHandshakeResponse();
      response.setAcceptSecrets(true);
      response.setSupportsAutonamingConfiguration(true);
      return response;
    }),

    getPluginInfo: unary(() => {
      const response = new pluginPb.PluginInfo();
      response.setVersion(version());
      return response;
    }),

    checkConfig: unary((request: providerPb.CheckRequest) => {
      const response = new providerPb.CheckResponse();
      response.setInputs(request.getNews());
      response.setFailuresList(checkFailures(refusedOptions(decode(request.getNews()).value)));
      return response;
    }),

    diffConfig: unary(async (request: providerPb.DiffRequest) => {
      const olds = decode(request.getOldInputs() ?? request.getOlds()).value;
      const news = decode(request.getNews()).value;
      const response = new providerPb.DiffResponse();
      const differing = changes(olds, news);
      response.setChanges(
        differing.length === 0
          ? providerPb.DiffResponse.DiffChanges.DIFF_NONE
          : providerPb.DiffResponse.DiffChanges.DIFF_SOME,
      );
      response.setDiffsList(topLevel(differing));
      if (
        differing.length > 0 &&
        (await isOtherCluster(olds, news, async (connection) => (await libraryAccess(connection)).server))
      ) {
        response.setReplacesList(['kubeconfig']);
      }
      return response;
    }),

    configure: unary((request: providerPb.ConfigureRequest) => {
      settings = providerSettings(decode(request.getArgs()).value);
      client = undefined;
      const response = new providerPb.ConfigureResponse();
      response.setAcceptsecrets(true);
      response.setSupportspreview(true);
      response.setSupportsAutonamingConfiguration(true);
      return response;
    }),

    check: unary(async (request: providerPb.CheckRequest) => {
      const type = typeOfUrn(request.getUrn());
      const news = decode(request.getNews());
      const parsed = parseType(type);
      const explicit = news.value.metadata !== undefined && refOf(news.value).namespace !== undefined;
      const known =
        parsed === undefined || explicit
          ? undefined
          : await (await cluster()).tryType(parsed.apiVersion, parsed.kind, stopped.signal);
      const { inputs, failures } = check({
        type,
        resourceName: request.getName(),
        news: news.value,
        olds: request.hasOlds() ? decode(request.getOlds()).value : undefined,
        randomSeed: request.getRandomseed_asU8(),
        autonaming: autonaming(request),
        namespaced: known?.namespaced,
        defaultNamespace:
          settings.namespace ?? (known === undefined ? 'default' : (await cluster()).api.access.namespace),
      });
      const response = new providerPb.CheckResponse();
      response.setInputs(encodedInputs(inputs, type, news.secrets));
      response.setFailuresList(checkFailures(failures));
      return response;
    }),

    diff: unary(async (request: providerPb.DiffRequest) => {
      const news = decode(request.getNews());
      const olds = { inputs: decode(request.getOldInputs()).value, outputs: decode(request.getOlds()).value };
      const doing = await work(request.getUrn(), 0, request.getIgnorechangesList());
      const found = await diff(olds, news.value, settings.mutability, doing);
      const response = new providerPb.DiffResponse();
      const kinds = providerPb.DiffResponse.DiffChanges;
      response.setChanges(found.changes.length === 0 ? kinds.DIFF_NONE : kinds.DIFF_SOME);
      response.setDiffsList(topLevel(found.changes));
      response.setReplacesList(found.replaces.map((change) => renderPath(change.path)));
      response.setDeletebeforereplace(found.deleteBeforeReplace);
      response.setHasdetaileddiff(true);
      for (const change of found.changes) {
        response.getDetaileddiffMap().set(renderPath(change.path), propertyDiff(change, found.replaces, news.value));
      }
      return response;
    }),

    create: unary(async (request: providerPb.CreateRequest) => {
      const type = typeOfUrn(request.getUrn());
      const inputs = decode(request.getProperties());
      const response = new providerPb.CreateResponse();
      if (request.getPreview()) {
        const shown = await previewOfCreation(inputs.value, await work(request.getUrn()));
        response.setProperties(encodedInputs(shown, type, inputs.secrets));
        return response;
      }
      const made = await create(inputs.value, await work(request.getUrn(), request.getTimeout()));
      const apiVersion = refOf(inputs.value).apiVersion;
      const outputs = encoded(
        outputsOf(made.object, inputs.value, made.fieldManager, apiVersion),
        type,
        inputs.secrets,
      );
      const id = idOf(made.object);
      if (made.problem !== undefined) {
        const kept = encodedInputs(inputs.value, type, inputs.secrets);
        throw initFailure(id, outputs, kept, `${sayRef(refOf(made.object))}: ${made.problem}`);
      }
      response.setId(id);
      response.setProperties(outputs);
      return response;
    }),

    update: unary(async (request: providerPb.UpdateRequest) => {
      const type = typeOfUrn(request.getUrn());
      const inputs = decode(request.getNews());
      const response = new providerPb.UpdateResponse();
      if (request.getPreview()) {
        response.setProperties(encodedInputs(inputs.value, type, inputs.secrets));
        return response;
      }
      const olds = decode(request.getOlds()).value;
      const doing = await work(request.getUrn(), request.getTimeout(), request.getIgnorechangesList());
      const made = await update(inputs.value, olds, doing);
      const initial = String(olds.__initialApiVersion ?? refOf(inputs.value).apiVersion);
      const outputs = encoded(outputsOf(made.object, inputs.value, made.fieldManager, initial), type, inputs.secrets);
      if (made.problem !== undefined) {
        const kept = encodedInputs(inputs.value, type, inputs.secrets);
        throw initFailure(request.getId(), outputs, kept, `${sayRef(refOf(made.object))}: ${made.problem}`);
      }
      response.setProperties(outputs);
      return response;
    }),

    read: unary(async (request: providerPb.ReadRequest) => {
      const type = typeOfUrn(request.getUrn());
      const inputs = decode(request.getInputs());
      const olds = { inputs: inputs.value, outputs: decode(request.getProperties()).value };
      const found = await read(request.getId(), type, olds, await work(request.getUrn()));
      const response = new providerPb.ReadResponse();
      if (found === undefined) return response;
      const outputs = outputsOf(found.object, found.inputs, found.fieldManager, found.initialApiVersion);
      const id = idOf(toState(found.object));
      const shown = encoded(outputs, type, inputs.secrets);
      const kept = encodedInputs(found.inputs, type, inputs.secrets);
      if (found.problem !== undefined) {
        throw initFailure(id, shown, kept, `${sayRef(refOf(found.object))}: ${found.problem}`);
      }
      response.setId(id);
      response.setProperties(shown);
      response.setInputs(kept);
      return response;
    }),

    delete: unary(async (request: providerPb.DeleteRequest) => {
      const outputs = decode(request.getProperties()).value;
      const doing = await work(request.getUrn(), request.getTimeout());
      await remove(request.getId(), typeOfUrn(request.getUrn()), outputs, doing);
      return new emptyPb.Empty();
    }),

    invoke: unary((request: providerPb.InvokeRequest) => {
      if (request.getTok() !== 'kubernetes:yaml:decode') throw unsupported(request.getTok());
      const response = new providerPb.InvokeResponse();
      response.setReturn(encode(decodeYaml(decode(request.getArgs()).value)));
      return response;
    }),

    construct: unary((request: providerPb.ConstructRequest): providerPb.ConstructResponse => {
      throw unsupported(request.getType());
    }),

    // One engine may end a run and start another with the same process (PULUMI_DEBUG_PROVIDERS): only waits are ended.
    cancel: unary(() => {
      stopped.abort();
      return new emptyPb.Empty();
    }),

    attach: unary(() => new emptyPb.Empty()),
  };
  return { definition: providerGrpc.ResourceProviderService, implementation, stop: () => stopped.abort() };
}

function unsupported(token: string): StatusError {
  return new StatusError(grpc.status.UNIMPLEMENTED, refusedFunction(token));
}

function checkFailures(failures: readonly Failure[]): providerPb.CheckFailure[] {
  return failures.map(({ property, reason }) => {
    const failure = new providerPb.CheckFailure();
    failure.setProperty(property);
    failure.setReason(reason);
    return failure;
  });
}

function autonaming(
  request: providerPb.CheckRequest,
): { mode: 'propose' | 'enforce' | 'disabled'; name: string } | undefined {
  const options = request.getAutonaming();
  if (options === undefined) return undefined;
  const modes = ['propose', 'enforce', 'disabled'] as const;
  return { mode: modes[options.getMode()] ?? 'propose', name: options.getProposedName() };
}

function topLevel(differing: readonly Change[]): string[] {
  return [...new Set(differing.map((change) => String(change.path[0] ?? '')))];
}

function propertyDiff(change: Change, replaces: readonly Change[], news: JsonObject): providerPb.PropertyDiff {
  const kinds = providerPb.PropertyDiff.Kind;
  const plain = { add: kinds.ADD, delete: kinds.DELETE, update: kinds.UPDATE };
  const replacing = { add: kinds.ADD_REPLACE, delete: kinds.DELETE_REPLACE, update: kinds.UPDATE_REPLACE };
  const result = new providerPb.PropertyDiff();
  result.setKind((replaces.includes(change) ? replacing : plain)[change.kind]);
  result.setInputdiff(change.path[0] !== undefined && String(change.path[0]) in news);
  return result;
}
