import type { Command } from 'commander';
import type { CommandContext } from './context.ts';

/** A command's code, loaded when it runs and not before. */
export type Run<Args extends unknown[]> = (context: CommandContext, ...args: Args) => Promise<void>;

/** Adds a verb to a group. */
export type Verb = (parent: Command, nameAndArgs: string, description: string) => Command;

/** What a verb does: the command's code is loaded when it runs. */
export type Action = <Args extends unknown[]>(
  load: () => Promise<{ run: Run<Args> }>,
) => (...args: unknown[]) => Promise<void>;
