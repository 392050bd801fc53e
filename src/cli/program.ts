// The command line: the commands, their options and their help. What a command does is in the file of its name, which
// is loaded only when the command runs, so that help and usage errors do not wait for the database's modules.
import { Argument, Command, type CommanderError, InvalidArgumentError, Option } from 'commander';
import packageFile from '../../package.json' with { type: 'json' };
import type { Role } from '../entities/user.ts';
import { asSentence, EXIT, reportMisuse } from './failures.ts';
import { does } from './run-command.ts';

const MAX_ID = 2_147_483_647;
/** Repeated here because the entity of users takes a second to load; the type ensures that none is missing. */
const ROLES = Object.keys({ VIEWER: true, OPERATOR: true, ADMIN: true } satisfies Record<Role, true>);
const JSON_OPTION = ['--json', 'print the result as one line of JSON'] as const;

/** Runs the command that the arguments name. A failure or misuse is printed and sets the exit status. */
export async function runSlotkeeper(args: readonly string[]): Promise<void> {
  const program = new Command('slotkeeper')
    .description('A task scheduler that accounts for every slot.')
    .version(packageFile.version, '--version', 'print the version')
    .helpOption('--help', 'print the help')
    .helpCommand(false)
    .addHelpText('after', examplesOf(['slotkeeper start', 'slotkeeper apply --help']));
  addServerCommands(program);
  addTaskCommands(program);
  addBackupCommands(program);
  addKeyCommands(program);
  explainMisuse(program);
  await program.parseAsync(args, { from: 'user' }).catch((error: unknown) => {
    if (!(error instanceof EndOfParsing)) throw error;
  });
}

function addServerCommands(program: Command): void {
  does(
    addCommand(program, 'start', 'Start the server. All settings are environment variables.', [
      'PORT=8080 slotkeeper start',
    ]),
    async () => (await import('./start.ts')).start,
  );
  does(
    addCommand(program, 'resume', 'Start the held runners of a restored installation.', ['slotkeeper resume']).option(
      ...JSON_OPTION,
    ),
    async () => (await import('./resume.ts')).resume,
  );
}

function addTaskCommands(program: Command): void {
  does(
    addCommand(
      program,
      'import',
      'Import tasks and their history from an old installation. Its secret is read from standard input.',
      ['slotkeeper import --from https://old.example/api/v1/api.php --key KEY --dry-run < file-with-the-secret'],
    )
      .requiredOption('--from <url>', 'the api.php of the old installation')
      .requiredOption('--key <key>', 'the key of an admin there')
      .option('--dry-run', 'show what would be done')
      .option('--paused', 'add all tasks paused')
      .option('--no-history', 'do not import the history')
      .option(...JSON_OPTION),
    async () => (await import('./import.ts')).importTasks,
  );
  does(
    addCommand(program, 'export', 'Write all tasks as JSON.', [
      'slotkeeper export > tasks.json',
      'slotkeeper export --to tasks.json',
    ]).option('--to <file>', 'write to this file instead of standard output, replacing it in one step'),
    async () => (await import('./export.ts')).exportTasks,
  );
  does(
    addCommand(program, 'apply', 'Make the tasks match an exported file.', [
      'slotkeeper apply tasks.json --dry-run',
      'slotkeeper apply tasks.json',
    ])
      .argument('<file>', 'a file that `slotkeeper export` wrote')
      .option('--dry-run', 'show what would be done; exits with 1 if it would be refused')
      .option('--delete', 'delete tasks that are not in the file')
      .option('--force', 'overwrite what changed since the export')
      .option('--as <admin>', 'the name of the admin who makes the changes (default: the first one)')
      .option(...JSON_OPTION),
    async () => (await import('./apply.ts')).apply,
  );
}

function addBackupCommands(program: Command): void {
  const backup = addCommand(program, 'backup', 'Check or restore a backup.', ['slotkeeper backup verify FILE']);
  does(
    addCommand(backup, 'verify', 'Check that a backup is intact, byte by byte. Needs no database.', [
      'slotkeeper backup verify FILE',
    ])
      .argument('<file>', 'a backup')
      .option(...JSON_OPTION),
    async () => (await import('./backup-verify.ts')).verify,
  );
  does(
    addCommand(backup, 'restore', 'Restore a backup into the empty database that the settings name.', [
      'DATA_DIR=/var/lib/slotkeeper slotkeeper backup restore FILE',
    ])
      .argument('<file>', 'a backup')
      .option(...JSON_OPTION),
    async () => (await import('./backup-restore.ts')).restore,
  );
}

function addKeyCommands(program: Command): void {
  does(
    addCommand(
      program,
      'import-key',
      'Store an API key that callers already have. Its secret is read from standard input.',
      ['slotkeeper import-key --key KEY --user-id 31 --user-name NAME < file-with-the-secret'],
    )
      .requiredOption('--key <key>', 'the API key')
      .requiredOption('--user-id <id>', 'the id of its user', readUserId)
      .option('--user-name <name>', 'the name of the user, if the user does not exist yet')
      .addOption(new Option('--role <role>', 'the role of a new user').choices(ROLES).default('OPERATOR'))
      .option(...JSON_OPTION),
    async () => (await import('./import-key.ts')).importKey,
  );
  does(
    addCommand(program, 'sign', 'Sign a call of the old API: print its query string with apiKey and hash.', [
      "slotkeeper sign 'target=scheduler&action=getTasks'",
    ])
      .addArgument(new Argument('<query>', 'the query string, in quotes').argParser(readUnsignedQuery))
      .option('--key <key>', 'the API key (default: ADMIN_API_KEY)')
      .option('--secret <secret>', 'its secret (default: ADMIN_API_SECRET)'),
    async () => (await import('./sign.ts')).sign,
  );
}

function addCommand(parent: Command, name: string, description: string, examples: readonly string[]): Command {
  return parent.command(name).description(description).helpCommand(false).addHelpText('after', examplesOf(examples));
}

function examplesOf(examples: readonly string[]): string {
  return ['', examples.length === 1 ? 'Example:' : 'Examples:', ...examples.map((example) => `  ${example}`)].join(
    '\n',
  );
}

function readUserId(text: string): number {
  const id = Number(text);
  if (Number.isInteger(id) && id >= 1 && id <= MAX_ID) return id;
  throw new InvalidArgumentError(`It must be a whole number from 1 to ${MAX_ID}.`);
}

function readUnsignedQuery(query: string): string {
  if (!/(?:^|&)(?:apiKey|hash)=/.test(query)) return query;
  throw new InvalidArgumentError('Leave apiKey and hash out: they are added.');
}

/** Help was printed or a misuse reported: nothing is left to do. */
class EndOfParsing extends Error {}

/** Reports the parser's errors like every other misuse. */
function explainMisuse(command: Command): void {
  command.configureOutput({ outputError: () => undefined });
  command.exitOverride(({ exitCode, code, message }: CommanderError) => {
    // For a group without a command, the parser has printed the help instead of an error.
    if (code === 'commander.help') process.exitCode = EXIT.usedWrongly;
    else if (exitCode !== EXIT.done) reportMisuse(sentenceOf(message), command);
    throw new EndOfParsing();
  });
  for (const child of command.commands) explainMisuse(child);
}

/** `error: unknown option '--x'` and a suggestion on a line of its own, as one sentence. */
function sentenceOf(message: string): string {
  const text = message.replace(/^error: /, '').replaceAll('\n', ' ');
  return asSentence(`${text.charAt(0).toUpperCase()}${text.slice(1)}`);
}
