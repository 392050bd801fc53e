import type { Logger } from 'pino';
import type { BackupLocation } from '../backup/locations.ts';
import type { Vault } from '../credentials/vault.ts';
import type { DnsServersSettings } from '../dns/server-settings.ts';
import { backupTask } from './built-in/backup-task.ts';
import { dnsPushTask } from './built-in/dns-push-task.ts';
import type { PrivateTargets } from './built-in/http-request/private-targets.ts';
import { httpRequestTask } from './built-in/http-request-task.ts';
import { processHoldingTask } from './built-in/process-holding-task.ts';
import type { TaskClass } from './task-class.ts';

/** The classes that this build can run, in the order in which they are listed to users. */
export class TaskClasses {
  readonly all: readonly TaskClass[];
  readonly #byName: ReadonlyMap<string, TaskClass>;

  constructor(all: readonly TaskClass[]) {
    this.all = all;
    this.#byName = new Map(all.map((taskClass) => [taskClass.name, taskClass]));
  }

  named(name: string): TaskClass | undefined {
    return this.#byName.get(name);
  }
}

/** The settings that the classes of the product look at. */
interface TaskClassSettings {
  HOLDING_DAYS: number;
  BACKUP_LOCATIONS: readonly BackupLocation[];
  DNS_SERVERS: DnsServersSettings;
  HTTP_ALLOW_PRIVATE: PrivateTargets;
}

/** The services of the built-in task classes. */
export interface TaskClassParts {
  settings: TaskClassSettings;
  databaseUrl: string;
  /** Opens the secrets that tasks send. */
  vault: Vault;
  /** The log for details of failures that users must not see, such as addresses; not needed if nothing runs here. */
  processLog?: Logger;
}

/** The classes that the product comes with. A new one is one file here and one entry in this list. */
export function builtInTaskClasses({ settings, databaseUrl, vault, processLog }: TaskClassParts): TaskClass[] {
  return [
    processHoldingTask(settings.HOLDING_DAYS),
    backupTask({ locations: settings.BACKUP_LOCATIONS, databaseUrl }),
    dnsPushTask(settings.DNS_SERVERS, processLog),
    httpRequestTask({ vault, privateTargets: settings.HTTP_ALLOW_PRIVATE, processLog }),
  ];
}
