import grpc from '@grpc/grpc-js';
import pluginPb from '@pulumi/pulumi/proto/plugin_pb.js';
import providerGrpc from '@pulumi/pulumi/proto/provider_grpc_pb.js';
import providerPb from '@pulumi/pulumi/proto/provider_pb.js';
import emptyPb from 'google-protobuf/google/protobuf/empty_pb.js';
import { engineLog } from '../plugin/engine-log.ts';
import { type PluginService, StatusError, unary } from '../plugin/serve.ts';
import { decode, encode, UNKNOWN } from '../provider/wire.ts';
import { type CommandRun, isUp, type LocalFacts, makeCluster, removeCluster } from './command.ts';
import { type LocalInputs, localCluster } from './settings.ts';

const VERSION = '0.1.0';
const OUTPUTS = ['cluster', 'context', 'kubeconfig', 'server'] as const;

/** The provider of clusters on this machine: it runs `delos cluster up|status|down`. */
export function localService(engine: string | undefined): PluginService {
  const log = engineLog(engine);
  const stopped = new AbortController();
  const { signal } = stopped;
  const how = (urn: string): CommandRun => ({ signal, tell: (line) => log.status(urn, line) });

  const implementation = {
    handshake: unary(() => {
      const response = new providerPb.ProviderHandshakeResponse();
      response.setAcceptSecrets(true);
      return response;
    }),

    getPluginInfo: unary(() => {
      const response = new pluginPb.PluginInfo();
      response.setVersion(VERSION);
      return response;
    }),

    checkConfig: unary((request: providerPb.CheckRequest) => checked(request)),
    diffConfig: unary(() => new providerPb.DiffResponse()),

    configure: unary(() => {
      const response = new providerPb.ConfigureResponse();
      response.setAcceptsecrets(true);
      response.setSupportspreview(true);
      return response;
    }),

    check: unary((request: providerPb.CheckRequest) => {
      const response = checked(request);
      const { error } = localCluster.safeParse(decode(request.getNews()).value);
      response.setFailuresList(
        (error?.issues ?? []).map(({ path, message }) => {
          const failure = new providerPb.CheckFailure();
          failure.setProperty(path.map(String).join('.'));
          failure.setReason(message);
          return failure;
        }),
      );
      return response;
    }),

    // One that somebody took down differs, too: `pulumi up` brings it up again.
    diff: unary(async (request: providerPb.DiffRequest) => {
      const before = localCluster.safeParse(decode(request.getOldInputs()).value).data;
      const wanted = localCluster.parse(decode(request.getNews()).value);
      const changed = KEYS.filter((key) => before?.[key] !== wanted[key]);
      const other = changed.filter((key) => key === 'instance' || key === 'engine');
      const down = changed.length === 0 && !(await isUp(wanted, how(request.getUrn())));
      const response = new providerPb.DiffResponse();
      const kinds = providerPb.DiffResponse.DiffChanges;
      response.setChanges(changed.length > 0 || down ? kinds.DIFF_SOME : kinds.DIFF_NONE);
      response.setDiffsList(down ? ['server'] : changed);
      response.setReplacesList(other);
      response.setDeletebeforereplace(other.length > 0);
      return response;
    }),

    create: unary(async (request: providerPb.CreateRequest) => {
      const inputs = localCluster.parse(decode(request.getProperties()).value);
      const response = new providerPb.CreateResponse();
      response.setId(inputs.instance);
      response.setProperties(await made(inputs, request.getPreview(), request.getUrn()));
      return response;
    }),

    update: unary(async (request: providerPb.UpdateRequest) => {
      const inputs = localCluster.parse(decode(request.getNews()).value);
      const response = new providerPb.UpdateResponse();
      response.setProperties(await made(inputs, request.getPreview(), request.getUrn()));
      return response;
    }),

    read: unary(async (request: providerPb.ReadRequest) => {
      const response = new providerPb.ReadResponse();
      const inputs = localCluster.safeParse(decode(request.getInputs()).value).data;
      if (inputs === undefined || !(await isUp(inputs, how(request.getUrn())))) return response;
      response.setId(request.getId());
      response.setInputs(request.getInputs());
      response.setProperties(request.getProperties());
      return response;
    }),

    delete: unary(async (request: providerPb.DeleteRequest) => {
      await removeCluster(localCluster.parse(decode(request.getOldInputs()).value), how(request.getUrn()));
      return new emptyPb.Empty();
    }),

    invoke: unary((request: providerPb.InvokeRequest): providerPb.InvokeResponse => {
      throw new StatusError(grpc.status.UNIMPLEMENTED, `there is no function ${request.getTok()}`);
    }),

    construct: unary((request: providerPb.ConstructRequest): providerPb.ConstructResponse => {
      throw new StatusError(grpc.status.UNIMPLEMENTED, `there is no component ${request.getType()}`);
    }),

    cancel: unary(() => {
      stopped.abort();
      return new emptyPb.Empty();
    }),

    attach: unary(() => new emptyPb.Empty()),
  };

  async function made(inputs: LocalInputs, preview: boolean, urn: string) {
    const facts: LocalFacts | Record<string, string> = preview
      ? Object.fromEntries(OUTPUTS.map((name) => [name, UNKNOWN]))
      : await makeCluster(inputs, how(urn));
    return encode({ ...inputs, ...facts }, preview ? [] : [['kubeconfig']]);
  }

  return { definition: providerGrpc.ResourceProviderService, implementation, stop: () => stopped.abort() };
}

const KEYS = Object.keys(localCluster.shape) as readonly (keyof LocalInputs)[];

function checked(request: providerPb.CheckRequest): providerPb.CheckResponse {
  const response = new providerPb.CheckResponse();
  response.setInputs(request.getNews());
  return response;
}
