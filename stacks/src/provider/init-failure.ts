import grpc from '@grpc/grpc-js';
import providerPb from '@pulumi/pulumi/proto/provider_pb.js';
import statusPb from '@pulumi/pulumi/proto/status_pb.js';
import anyPb from 'google-protobuf/google/protobuf/any_pb.js';
import type structPb from 'google-protobuf/google/protobuf/struct_pb.js';
import { StatusError } from '../plugin/serve.ts';

/**
 * The object exists and is not as it should be. The engine keeps it in the state with the reasons, fails the update,
 * and calls Update for it at the next run even where nothing differs.
 */
export function initFailure(
  id: string,
  outputs: structPb.Struct,
  inputs: structPb.Struct,
  reason: string,
): StatusError {
  const detail = new providerPb.ErrorResourceInitFailed();
  detail.setId(id);
  detail.setProperties(outputs);
  detail.setInputs(inputs);
  detail.setReasonsList([reason]);
  const packed = new anyPb.Any();
  packed.pack(detail.serializeBinary(), 'pulumirpc.ErrorResourceInitFailed');
  const status = new statusPb.Status();
  status.setCode(grpc.status.UNKNOWN);
  status.setMessage(reason);
  status.setDetailsList([packed]);
  const metadata = new grpc.Metadata();
  metadata.set('grpc-status-details-bin', Buffer.from(status.serializeBinary()));
  return new StatusError(grpc.status.UNKNOWN, reason, metadata);
}
