import { bundleError, FaultFound } from '@delos/airgap';

/** Runs `work`, and tells what it finds wrong with a bundle as the command's one error. */
export async function faultTold<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof FaultFound) throw bundleError(folder, [error.fault]);
    throw error;
  }
}
