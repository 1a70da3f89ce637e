import grpc from '@grpc/grpc-js';
import { watchEngine } from './orphan.ts';

const MAX_MESSAGE_BYTES = 400 * 1024 * 1024;

export interface PluginService {
  readonly definition: grpc.ServiceDefinition;
  readonly implementation: grpc.UntypedServiceImplementation;
  /** Called once when the plugin must end: abort what runs. */
  stop(): void;
}

/** The address is the last argument; a plugin that is started by hand has none. */
export function engineAddress(argv: readonly string[]): string | undefined {
  return argv.findLast((argument) => /^[^-].*:\d+$/.test(argument));
}

/**
 * Runs a plugin: a gRPC server on a loopback port, whose number is the first line of stdout. It ends at once on SIGINT
 * or SIGTERM (the engine waits five seconds and then reports a crash), and when the engine is no longer there.
 */
export async function servePlugin(service: PluginService, engine: string | undefined): Promise<void> {
  const server = new grpc.Server({
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
  });
  server.addService(service.definition, service.implementation);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  const end = (): void => {
    service.stop();
    server.forceShutdown();
    process.exit(0);
  };
  process.on('SIGINT', end);
  process.on('SIGTERM', end);
  if (engine !== undefined) watchEngine(engine, end);
  process.stdout.write(`${port}\n`);
}

/** A unary method from an async function. Errors keep their gRPC status where they have one. */
export function unary<Request, Response>(
  run: (request: Request) => Promise<Response> | Response,
): grpc.handleUnaryCall<Request, Response> {
  return (call, callback) => {
    Promise.resolve()
      .then(() => run(call.request))
      .then(
        (response) => callback(null, response),
        (error: unknown) => callback(asServiceError(error)),
      );
  };
}

function asServiceError(error: unknown): Partial<grpc.StatusObject> {
  if (error instanceof StatusError) return { code: error.code, details: error.message, metadata: error.metadata };
  return { code: grpc.status.UNKNOWN, details: error instanceof Error ? error.message : String(error) };
}

/** An error with a gRPC status of its own. */
export class StatusError extends Error {
  readonly code: grpc.status;
  readonly metadata: grpc.Metadata;

  constructor(code: grpc.status, message: string, metadata: grpc.Metadata = new grpc.Metadata()) {
    super(message);
    this.code = code;
    this.metadata = metadata;
  }
}
