import { BAKE_NOTICES, FLOW_ATTEMPT_STATUSES } from '@delos/core';
import { type Command, Option } from 'commander';
import { positiveNumber } from './option-numbers.ts';
import type { Action, Verb } from './verbs.ts';

/** `delos flow …` */
export function flowVerbs(flow: Command, verb: Verb, action: Action): void {
  const placed = (command: Command): Command =>
    command
      .option('--param <name=value>', 'value of a parameter; may be given several times', collected)
      .option(
        '--workspace <folder>',
        'folder that the flow belongs to; left out: the one above .apolo, or the file’s own',
      )
      .option('--actions <folder>', 'folder of actions of repositories: OWNER/REPO@TAG/action.yml')
      .option('--cluster <name>', 'cluster that addresses are relative to', 'default')
      .option('--org <name>', 'organization, if any')
      .option('--project <name>', 'project on the platform', 'default')
      .option('--user <name>', 'user name', 'user');
  placed(
    verb(flow, 'validate <files...>', 'say everything that is wrong with the files, or with all files of a folder'),
  )
    .option('--strict', 'exit code 1 where there is a warning, too', false)
    .action(action(() => import('./commands/flow/validate.ts')));
  placed(verb(flow, 'expand <file>', 'the concrete tasks of a flow')).action(
    action(() => import('./commands/flow/expand.ts')),
  );
  placed(verb(flow, 'graph <file>', 'draw the tasks of a flow'))
    .addOption(new Option('--format <format>', 'what to draw').choices(['mermaid', 'dot', 'svg']).default('mermaid'))
    .action(action(() => import('./commands/flow/graph.ts')));
  verb(flow, 'eval <expression>', 'value of an expression, bare or as ${{ … }}')
    .option('--context <file>', 'JSON file with the contexts that it may use')
    .action(action(() => import('./commands/flow/eval.ts')));
  verb(flow, 'format <file>', 'write a file in the one layout; comments stay')
    .option('--check', 'only say whether it is', false)
    .action(action(() => import('./commands/flow/format.ts')));
  bakeVerbs(flow, verb, action);
}

/** `delos flow bake …`: what asks a platform. */
function bakeVerbs(flow: Command, verb: Verb, action: Action): void {
  const asked = (command: Command): Command =>
    command
      .option('--url <url>', 'the platform; left out: that of this instance')
      .option('--token-file <file>', 'file with the token to ask by; it comes with --url')
      .option('--as <name>', 'as which user, of this instance’s platform; left out: its administrator');
  const placed = (command: Command): Command =>
    asked(command)
      .option('--org <name>', 'organization that the project belongs to')
      .option('--project <name>', 'project on the platform');
  const named = (command: Command): Command => placed(command).option('--flow <name>', 'the id of project.yml');

  const made = (command: Command): Command =>
    placed(command)
      .option('--param <name=value>', 'value of a parameter; may be given several times', collected)
      .option('--tag <tag>', 'tag of the bake; may be given several times', collected)
      .option('--life-span <minutes>', 'how long it may take; left out: ten days', positiveNumber)
      .addOption(
        new Option(
          '--notify <events...>',
          'tell those of `notifications` of its end, or of failures and recoveries',
        ).choices([...BAKE_NOTICES]),
      )
      .option('--workspace <folder>', 'folder that the flow belongs to; left out: the one above .apolo, or its own')
      .option('--actions <folder>', 'folder of actions of repositories: OWNER/REPO@TAG/action.yml');

  made(
    verb(
      flow,
      'bake <path>',
      'have the platform carry out a batch flow: its name, its file, or the folder that has one',
    ),
  )
    .option('--name <name>', 'name of the bake, for as long as it runs its alone')
    .option('--detach', 'do not wait for its end', false)
    .action(action(() => import('./commands/flow/bakes/bake.ts')));
  const schedule = verb(flow, 'schedule', 'bakes that the platform makes again and again');
  made(
    verb(
      schedule,
      'add <name> <path>',
      'bake a batch flow (its name, file or folder) at times or when it is triggered',
    ),
  )
    .option('--cron <fields>', 'when: minute, hour, day of month, month, day of week')
    .option('--time-zone <zone>', 'whose clock, such as Europe/Berlin', 'UTC')
    .addOption(
      new Option('--missed <policy>', 'runs that nobody was there for: none, one for all, or each')
        .choices(['skip', 'once', 'all'])
        .default('once'),
    )
    .option('--overlap', 'also while the bake before has not ended', false)
    .option('--trigger', 'take signed requests', false)
    .action(action(() => import('./commands/flow/schedule/add.ts')));
  placed(verb(schedule, 'ls', 'list schedules, each with its last run')).action(
    action(() => import('./commands/flow/schedule/list.ts')),
  );
  placed(verb(schedule, 'run <name>', 'make the bake of a schedule now')).action(
    action(() => import('./commands/flow/schedule/run.ts')),
  );
  placed(verb(schedule, 'rm <name>', 'remove a schedule; its bakes stay')).action(
    action(() => import('./commands/flow/schedule/remove.ts')),
  );
  named(verb(flow, 'bakes', 'list bakes, the newest first'))
    .option('--batch <name>', 'only of this batch flow')
    .addOption(new Option('--status <status>', 'only those').choices([...FLOW_ATTEMPT_STATUSES]))
    .option('--limit <number>', 'how many', positiveNumber, 50)
    .action(action(() => import('./commands/flow/bakes/list.ts')));
  named(verb(flow, 'inspect <bake>', 'what became of a bake, by its id or name: tasks, times, critical path'))
    .option('--attempt <number>', 'of this attempt; left out: the last one', positiveNumber)
    .option('--svg <file>', 'draw it over time')
    .option('-f, --follow', 'wait for its end', false)
    .action(action(() => import('./commands/flow/bakes/inspect.ts')));
  named(verb(flow, 'logs <bake> [task]', 'what a task has written; without one, what the engine tells of the bake'))
    .option('--attempt <number>', 'of this attempt; left out: the last one', positiveNumber)
    .action(action(() => import('./commands/flow/bakes/logs.ts')));
  named(verb(flow, 'cancel <bake>', 'cancel a bake')).action(action(() => import('./commands/flow/bakes/cancel.ts')));
  named(verb(flow, 'restart <bake>', 'carry a bake that has ended out once more: what had not succeeded'))
    .option('--all', 'all of it', false)
    .option('--from-task <id>', 'this task and all that follows from it')
    .option('--detach', 'do not wait for its end', false)
    .action(action(() => import('./commands/flow/bakes/restart.ts')));
  placed(verb(flow, 'clear-cache <flow> [batch] [task]', 'forget results that are kept of a flow')).action(
    action(() => import('./commands/flow/bakes/clear-cache.ts')),
  );
  named(
    verb(flow, 'diff <before> <after>', 'what changed from one bake to another: files, parameters, images, cache'),
  ).action(action(() => import('./commands/flow/bakes/diff.ts')));
}

const collected = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];
