import {
  type ChannelCredentials,
  Client,
  credentials,
  type handleBidiStreamingCall,
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  type Metadata,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  status,
} from '@grpc/grpc-js';

/* A job that serves gRPC, and its client: those of https://grpc.io for Node, over the four kinds of calls. Messages are bytes. */

const bytes = {
  requestSerialize: (value: Buffer) => value,
  requestDeserialize: (value: Buffer) => value,
  responseSerialize: (value: Buffer) => value,
  responseDeserialize: (value: Buffer) => value,
};
const method = (name: string, requestStream: boolean, responseStream: boolean) => ({
  ...bytes,
  path: `/delos.test.Echo/${name}`,
  requestStream,
  responseStream,
});
export const ECHO = {
  one: method('One', false, false),
  refused: method('Refused', false, false),
  many: method('Many', false, true),
  sum: method('Sum', true, false),
  talk: method('Talk', true, true),
} satisfies ServiceDefinition;

export interface GrpcJob {
  /** What the metadata of the last call had. */
  readonly seen: () => Readonly<Record<string, unknown>>;
  readonly stop: () => void;
}

/** Serves at a port of this machine, without TLS, as jobs do. */
export async function startGrpcJob(port: number): Promise<GrpcJob> {
  let seen: Readonly<Record<string, unknown>> = {};
  const look = (metadata: Metadata): void => {
    seen = metadata.getMap();
  };
  const one: handleUnaryCall<Buffer, Buffer> = (call, callback) => {
    look(call.metadata);
    callback(null, call.request);
  };
  const refused: handleUnaryCall<Buffer, Buffer> = (_call, callback) =>
    callback({ code: status.FAILED_PRECONDITION, details: 'the job says no' });
  const many: handleServerStreamingCall<Buffer, Buffer> = (call) => {
    for (let nth = 0; nth < Number(call.request); nth += 1) call.write(Buffer.from(String(nth)));
    call.end();
  };
  const sum: handleClientStreamingCall<Buffer, Buffer> = (call, callback) => {
    let size = 0;
    call.on('data', (part: Buffer) => {
      size += part.length;
    });
    call.on('end', () => callback(null, Buffer.from(String(size))));
  };
  const talk: handleBidiStreamingCall<Buffer, Buffer> = (call) => {
    call.on('data', (part: Buffer) => call.write(part));
    call.on('end', () => call.end());
  };
  const server = new Server({ 'grpc.max_receive_message_length': -1 });
  server.addService(ECHO, { one, refused, many, sum, talk });
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error) =>
      error === null ? resolve() : reject(error),
    ),
  );
  return { seen: () => seen, stop: () => server.forceShutdown() };
}

/** A client of the job at a host name, which the gateway at a port of this machine serves by TLS. */
export function grpcClient(port: number, host: string, authority: string): Client {
  const trusted: ChannelCredentials = credentials.createSsl(Buffer.from(authority));
  return new Client(`127.0.0.1:${port}`, trusted, {
    'grpc.ssl_target_name_override': host,
    'grpc.default_authority': `${host}:${port}`,
    'grpc.max_receive_message_length': -1,
  });
}
