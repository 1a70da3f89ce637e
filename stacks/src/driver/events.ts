import type { Progress } from '@delos/core';
import type { EngineEvent } from '@pulumi/pulumi/automation/index.js';

export interface Changes {
  readonly same: number;
  readonly create: number;
  readonly update: number;
  readonly delete: number;
  readonly replace: number;
}

/** One resource operation, from its start to its outcome. */
export interface ResourceStep {
  readonly urn: string;
  readonly type: string;
  readonly op: string;
  readonly seconds: number;
  readonly failed: boolean;
}

/** What is gathered from the engine's events while it works. */
export interface EventRecord {
  readonly steps: readonly ResourceStep[];
  readonly changes: Changes;
  /** Error messages by resource, in the order they came; '' is the stack. */
  readonly errors: readonly { readonly urn: string; readonly message: string }[];
}

/** Steps of the engine's own bookkeeping: what they do is told by another step. */
const INNER = new Set(['create-replacement', 'delete-replaced', 'discard-replaced', 'remove-pending-replace']);

export function recorder(progress: Progress): {
  readonly onEvent: (event: EngineEvent) => void;
  record(): EventRecord;
} {
  const started = new Map<string, number>();
  const steps = new Map<string, ResourceStep>();
  const errors: { urn: string; message: string }[] = [];
  let summary: Record<string, number> = {};

  const finish = (meta: { urn: string; type: string; op: string }, failed: boolean): void => {
    const key = `${meta.op} ${meta.urn}`;
    if (meta.op === 'refresh' || INNER.has(meta.op)) return;
    const seconds = (performance.now() - (started.get(key) ?? performance.now())) / 1000;
    // The stack itself is told of twice.
    if (!steps.has(key)) steps.set(key, { urn: meta.urn, type: meta.type, op: meta.op, seconds, failed });
  };

  const onEvent = (event: EngineEvent): void => {
    if (event.resourcePreEvent !== undefined) {
      const { metadata } = event.resourcePreEvent;
      started.set(`${metadata.op} ${metadata.urn}`, performance.now());
      if (metadata.op !== 'same' && metadata.op !== 'refresh')
        progress.step(`${sayOp(metadata.op)} ${sayUrn(metadata.urn)}`);
    }
    if (event.resOutputsEvent !== undefined) finish(event.resOutputsEvent.metadata, false);
    if (event.resOpFailedEvent !== undefined) finish(event.resOpFailedEvent.metadata, true);
    if (event.summaryEvent !== undefined) summary = { ...event.summaryEvent.resourceChanges };
    if (event.diagnosticEvent !== undefined) {
      const { urn = '', severity, ephemeral = false } = event.diagnosticEvent;
      const message = plain(event.diagnosticEvent.message);
      if (message === '') return;
      if (severity === 'error') errors.push({ urn, message });
      else if (severity === 'warning') {
        const said = urn === '' ? message : `${sayUrn(urn)}: ${message}`;
        if (isExpected(message)) progress.step(said.replaceAll('\n', ' '));
        else progress.warn(said);
      } else if (ephemeral && urn !== '') progress.step(`${sayUrn(urn)}: ${message}`);
    }
  };

  return {
    onEvent,
    record: () => ({
      steps: [...steps.values()],
      changes: {
        same: summary.same ?? 0,
        create: summary.create ?? 0,
        update: summary.update ?? 0,
        delete: summary.delete ?? 0,
        replace: summary.replace ?? 0,
      },
      errors,
    }),
  };
}

const ESCAPE = String.fromCharCode(27);
const COLOURS = new RegExp(`<\\{%[^%]*%\\}>|${ESCAPE}\\[[\\d;]*m`, 'g');

/** Without the engine's colour marks. */
function plain(message: string): string {
  return message.replace(COLOURS, '').trim();
}

/** Said of plugins that lie on PATH by intent, and of objects that this very update is about to see ready. */
function isExpected(message: string): boolean {
  return /^using pulumi-(resource|language)-\S+ from \$PATH|^Refreshed resource is in an unhealthy state/.test(message);
}

/** `Deployment delos/api` from a URN. */
export function sayUrn(urn: string): string {
  const parts = urn.split('::');
  const kind = (parts[2] ?? '').split('$').at(-1)?.split(':').at(-1) ?? '';
  return `${kind} ${parts.slice(3).join('::')}`;
}

function sayOp(op: string): string {
  const words: Readonly<Record<string, string>> = {
    create: 'creating',
    update: 'updating',
    delete: 'deleting',
    replace: 'replacing',
  };
  return words[op] ?? op;
}
