// Who learns what of a push: the run's log is read by all users and names neither the server's address nor its directory,
// which are in the settings alone; the log of the process names them, for those who run the machine.
import type { Logger } from 'pino';
import { publicMessage } from '../lib/describe-error.ts';
import type { CommandEnd } from './command.ts';
import type { DnsServerSettings } from './server-settings.ts';

export interface PushReportOptions {
  /** The key of the server in the settings. */
  name: string;
  settings: DnsServerSettings;
  /** The run's log, which all users read. */
  log(message: string, data?: unknown): void;
  /** The log of the process, for what the settings say of the machine. */
  processLog: Logger | undefined;
}

export class PushReport {
  readonly #options: PushReportOptions;

  constructor(options: PushReportOptions) {
    this.#options = options;
  }

  /** A line of the run's log that begins with the server's name. */
  log(message: string, data?: unknown): void {
    const { name, log } = this.#options;
    log(`${name}: ${message}`, data);
  }

  /** The public part of an error; the rest goes to the log of the process. */
  publicMessage(error: unknown): string {
    const { name, settings, processLog } = this.#options;
    const { address, port, directory } = settings;
    processLog?.warn({ server: name, address, port, directory, err: error }, 'a DNS server could not be pushed to');
    return publicMessage(error);
  }

  /** The public part of a command's failure: output of programs names directories and addresses. */
  publicEnd({ fault, output }: CommandEnd): CommandEnd {
    const { name, settings, processLog } = this.#options;
    if (fault !== null) processLog?.warn({ server: name, fault, output }, 'a DNS server was not told to load');
    const shown = output.replaceAll(settings.directory, '[directory]').replaceAll(settings.address, '[address]');
    return { fault, output: shown };
  }
}
