import type { ToolName } from '@delos/artifacts';
import type { Progress } from '@delos/core';

export interface ResolvedTool {
  readonly name: ToolName;
  readonly version: string;
  /** Absolute path of the executable. */
  readonly path: string;
  readonly from: 'path' | 'cache' | 'release' | 'build';
}

/** Finds, fetches or builds a pinned tool. @throws DelosError ERR_TOOL_UNAVAILABLE, ERR_TOOL_CHECKSUM, ERR_DISK_SPACE */
export type ResolveTool = (name: ToolName, progress: Progress) => Promise<ResolvedTool>;
