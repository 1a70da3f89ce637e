import grpc from '@grpc/grpc-js';
import engineGrpc from '@pulumi/pulumi/proto/engine_grpc_pb.js';
import enginePb from '@pulumi/pulumi/proto/engine_pb.js';

export interface EngineLog {
  /** The status of a resource while it is worked on; each replaces the last. */
  status(urn: string, message: string): void;
  warn(urn: string, message: string): void;
}

/** Tells the engine what a person should see. A line that cannot be delivered is dropped: it is never the result. */
export function engineLog(address: string | undefined): EngineLog {
  if (address === undefined) return { status: () => undefined, warn: () => undefined };
  const client = new engineGrpc.EngineClient(address, grpc.credentials.createInsecure());
  const send = (severity: 0 | 1 | 2 | 3, urn: string, message: string, ephemeral: boolean): void => {
    const request = new enginePb.LogRequest();
    request.setSeverity(severity);
    request.setUrn(urn);
    request.setMessage(message);
    request.setEphemeral(ephemeral);
    client.log(request, () => undefined);
  };
  const last = new Map<string, string>();
  return {
    status: (urn, message) => {
      if (last.get(urn) === message) return;
      last.set(urn, message);
      send(enginePb.LogSeverity.INFO, urn, message, true);
    },
    warn: (urn, message) => send(enginePb.LogSeverity.WARNING, urn, message, false),
  };
}
