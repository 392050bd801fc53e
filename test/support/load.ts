// Calls one after the other, each of which must succeed.
import { setTimeout as pause } from 'node:timers/promises';
import type { TestApp } from './app.ts';

export const READS = [
  '{ tasks(first: 20) { edges { node { id name nextRunAt lastRunAt repeatItems { minute } runs(first: 3) { edges { node { state } } } } } } }',
  '{ tasks(first: 20) { edges { node { name owner { name } timeoutSeconds data } } } }',
  '{ runs(first: 20) { edges { node { id slot state message task { name } } } } }',
  '{ events(last: 20) { edges { node { cursor type run { id state } } } } }',
];

type Kind = 'read' | 'addTask' | 'executeTask';

interface Answer {
  kind: Kind;
  gateway: TestApp;
  begunAt: number;
}

/** Two callers a gateway, from the moment that it is made. */
export class Load {
  readonly #answered: Answer[] = [];
  readonly #failures: string[] = [];
  readonly #callers: Promise<void>[];
  readonly #taskIds: readonly number[];
  readonly #className: string;
  #isOver = false;

  /** Runs the tasks by hand, and adds more of the class. */
  constructor(gateways: readonly TestApp[], taskIds: readonly number[], className: string) {
    this.#taskIds = taskIds;
    this.#className = className;
    this.#callers = gateways.flatMap((gateway) => [this.#read(gateway), this.#write(gateway)]);
  }

  /** How many calls that began after an instant were answered; of one kind, by one gateway, where they are said. */
  answeredSince(at: Date, gateway?: TestApp, kind?: Kind): number {
    return this.#answered.filter(
      (answer) =>
        answer.begunAt >= at.getTime() &&
        (gateway === undefined || answer.gateway === gateway) &&
        (kind === undefined || answer.kind === kind),
    ).length;
  }

  /** How many runs were asked for, and what of all that failed. */
  async stop(): Promise<{ asked: number; failures: string[] }> {
    this.#isOver = true;
    await Promise.all(this.#callers);
    return { asked: this.#answered.filter(({ kind }) => kind === 'executeTask').length, failures: this.#failures };
  }

  async #read(gateway: TestApp): Promise<void> {
    for (let turn = 0; !this.#isOver; turn += 1) {
      await this.#call(gateway, 'read', READS[turn % READS.length] ?? '');
    }
  }

  async #write(gateway: TestApp): Promise<void> {
    for (let turn = 0; !this.#isOver; turn += 1) {
      const task = this.#taskIds[turn % this.#taskIds.length];
      await this.#call(
        gateway,
        'executeTask',
        'mutation ($task: Int!) { executeTask(input: { task: { legacyId: $task } }) { run { id } } }',
        { task },
      );
      await this.#call(
        gateway,
        'addTask',
        'mutation ($name: String!, $className: String!) { addTask(input: { name: $name, className: $className }) { task { id } } }',
        { name: `Added ${turn}`, className: this.#className },
      );
    }
  }

  async #call(gateway: TestApp, kind: Kind, document: string, variables = {}): Promise<void> {
    const begunAt = Date.now();
    try {
      await gateway.query(document, variables);
      this.#answered.push({ kind, gateway, begunAt });
    } catch (error) {
      this.#failures.push(`${kind}: ${error}`);
    }
    await pause(100);
  }
}
