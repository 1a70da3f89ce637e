import type { WriteStream } from 'node:tty';
import type { Progress } from '@delos/core';

/**
 * Progress on stderr: on a terminal the current step is one line that is rewritten; elsewhere (CI logs, pipes) each
 * change is a plain line of its own. Phases end with their duration.
 */
export function progressFor(stream: NodeJS.WriteStream | WriteStream): Progress {
  const live = stream.isTTY === true;
  const started = Date.now();
  let last = '';
  const stamp = (): string => `${((Date.now() - started) / 1000).toFixed(1).padStart(6)}s`;
  const line = (text: string): void => {
    stream.write(live ? `\r\u001b[K${text}\n` : `${text}\n`);
    last = '';
  };
  return {
    phase(name) {
      const from = Date.now();
      line(`${stamp()}  ${name}`);
      return () => line(`${stamp()}  ${name}: done in ${((Date.now() - from) / 1000).toFixed(1)} s`);
    },
    step(text) {
      if (text === last) return;
      last = text;
      const shown = `${stamp()}    ${text}`;
      stream.write(live ? `\r\u001b[K${shown.slice(0, Math.max(20, (stream.columns ?? 80) - 1))}` : `${shown}\n`);
    },
    warn: (text) => line(`warning: ${text}`),
  };
}
