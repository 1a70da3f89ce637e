import type { JsonObject } from '@delos/kube';
import grpc from '@grpc/grpc-js';
import pluginPb from '@pulumi/pulumi/proto/plugin_pb.js';
import providerGrpc from '@pulumi/pulumi/proto/provider_grpc_pb.js';
import providerPb from '@pulumi/pulumi/proto/provider_pb.js';
import emptyPb from 'google-protobuf/google/protobuf/empty_pb.js';
import type structPb from 'google-protobuf/google/protobuf/struct_pb.js';
import { engineLog } from '../plugin/engine-log.ts';
import { type PluginService, StatusError, unary } from '../plugin/serve.ts';
import { decode, encode } from '../provider/wire.ts';
import { apply, look, removePart } from './apply.ts';
import { type Part, part } from './part.ts';
import { type Difference, planOf } from './plan.ts';
import { type Address, address, Connection } from './ssh.ts';

const VERSION = '0.1.0';

/**
 * The provider of parts of a machine: what a part says is compared with the machine itself, at each preview, so that what somebody
 * changed there by hand is found and repaired.
 */
export function machineService(engine: string | undefined): PluginService {
  const log = engineLog(engine);
  const stopped = new AbortController();
  let at: Address | undefined;
  let connection: Connection | undefined;
  const machine = (): Connection => {
    if (at === undefined) throw new Error('the provider was not told of a machine');
    connection ??= new Connection(at);
    return connection;
  };
  const { signal } = stopped;

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

    checkConfig: unary((request: providerPb.CheckRequest) => {
      const response = new providerPb.CheckResponse();
      response.setInputs(request.getNews());
      return response;
    }),

    // A machine is known by its key. With another one all is made anew there.
    diffConfig: unary((request: providerPb.DiffRequest) => {
      const before = settings(request.getOldInputs() ?? request.getOlds());
      const after = settings(request.getNews());
      const response = new providerPb.DiffResponse();
      const kinds = providerPb.DiffResponse.DiffChanges;
      const same = JSON.stringify(before) === JSON.stringify(after);
      response.setChanges(same ? kinds.DIFF_NONE : kinds.DIFF_SOME);
      if (before?.hostKey !== after?.hostKey) response.setReplacesList(['hostKey']);
      return response;
    }),

    configure: unary((request: providerPb.ConfigureRequest) => {
      at = settings(request.getArgs());
      connection?.close();
      connection = undefined;
      const response = new providerPb.ConfigureResponse();
      response.setAcceptsecrets(true);
      response.setSupportspreview(true);
      return response;
    }),

    check: unary((request: providerPb.CheckRequest) => {
      const response = new providerPb.CheckResponse();
      const parsed = part.safeParse(decode(request.getNews()).value);
      response.setInputs(request.getNews());
      response.setFailuresList(
        (parsed.error?.issues ?? []).map(({ path, message }) => {
          const failure = new providerPb.CheckFailure();
          failure.setProperty(path.map(String).join('.'));
          failure.setReason(message);
          return failure;
        }),
      );
      return response;
    }),

    diff: unary(async (request: providerPb.DiffRequest) => {
      const wanted = part.parse(decode(request.getNews()).value);
      const { differences } = planOf(wanted, await look(machine(), wanted, signal));
      const response = new providerPb.DiffResponse();
      const kinds = providerPb.DiffResponse.DiffChanges;
      response.setChanges(differences.length === 0 ? kinds.DIFF_NONE : kinds.DIFF_SOME);
      response.setDiffsList([...new Set(differences.map((one) => one.of))]);
      response.setHasdetaileddiff(true);
      for (const one of differences) {
        const shown = new providerPb.PropertyDiff();
        shown.setKind(providerPb.PropertyDiff.Kind.UPDATE);
        shown.setInputdiff(true);
        response.getDetaileddiffMap().set(`${one.of}["${one.name}"]`, shown);
      }
      return response;
    }),

    create: unary(async (request: providerPb.CreateRequest) => {
      const response = new providerPb.CreateResponse();
      const wanted = part.parse(decode(request.getProperties()).value);
      if (!request.getPreview()) await make(wanted, request.getUrn());
      response.setId(wanted.name);
      response.setProperties(outputs(wanted, []));
      return response;
    }),

    update: unary(async (request: providerPb.UpdateRequest) => {
      const response = new providerPb.UpdateResponse();
      const wanted = part.parse(decode(request.getNews()).value);
      if (!request.getPreview()) await make(wanted, request.getUrn());
      response.setProperties(outputs(wanted, []));
      return response;
    }),

    read: unary(async (request: providerPb.ReadRequest) => {
      const response = new providerPb.ReadResponse();
      const wanted = part.parse(decode(request.getInputs()).value);
      const facts = await look(machine(), wanted, signal);
      if (facts.recorded.length === 0 && facts.files.size === 0) return response;
      response.setId(request.getId());
      response.setInputs(request.getInputs());
      response.setProperties(outputs(wanted, planOf(wanted, facts).differences));
      return response;
    }),

    delete: unary(async (request: providerPb.DeleteRequest) => {
      // What is to be removed stands in the machine's record.
      await removePart(machine(), { ...EMPTY, name: request.getId() }, signal);
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

  async function make(wanted: Part, urn: string): Promise<void> {
    await apply(machine(), wanted, signal, (message) => log.status(urn, message));
  }

  const stop = (): void => {
    stopped.abort();
    connection?.close();
  };
  return { definition: providerGrpc.ResourceProviderService, implementation, stop };
}

const EMPTY: Part = { name: '', needs: [], files: {}, trees: {}, units: {}, data: [] };

/** What the stack keeps of a part: no content. */
const outputs = ({ name, units }: Part, differences: readonly Difference[]): structPb.Struct =>
  encode({
    name,
    stamps: Object.fromEntries(Object.entries(units).map(([unit, { stamp }]) => [unit, stamp])),
    differences: differences.map(({ name: of, what }) => `${of} ${what}`),
  });

/** Values of a provider are texts, however they were written. */
function settings(given: structPb.Struct | undefined): Address | undefined {
  const value: JsonObject = decode(given).value;
  const parsed = address.safeParse({ ...value, port: Number(value.port) });
  return parsed.success ? parsed.data : undefined;
}
