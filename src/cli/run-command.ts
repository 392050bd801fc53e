import type { Command } from 'commander';
import { Releasers } from '../lib/releasers.ts';
import { reportFailure, reportMisuse, UsageError } from './failures.ts';
import { jsonOutput, type Output, textOutput } from './output.ts';

/** What a command gets to work with. */
export interface CommandContext {
  /** Released when the command has ended, failed or not. */
  releasers: Releasers;
  output: Output;
}

/** The work of a command; `options` also holds its arguments by name. */
type CommandWork<Options extends object> = (options: Options, context: CommandContext) => Promise<void>;

/**
 * Gives a command its work, which is loaded only when the command runs. A failure is printed and sets the exit status.
 */
export function does<Options extends object>(command: Command, load: () => Promise<CommandWork<Options>>): Command {
  return command.action(async () => {
    const options = { ...command.opts<Options>(), ...argumentsOf(command) };
    const releasers = new Releasers();
    const output = 'json' in options && options.json === true ? jsonOutput : textOutput;
    try {
      const work = await load();
      await work(options, { releasers, output });
    } catch (error) {
      if (error instanceof UsageError) reportMisuse(error.message, command);
      else reportFailure(error);
    }
    await releasers.releaseAll().catch(reportFailure);
  });
}

function argumentsOf({ registeredArguments, processedArgs }: Command): Record<string, unknown> {
  return Object.fromEntries(registeredArguments.map((argument, index) => [argument.name(), processedArgs[index]]));
}
