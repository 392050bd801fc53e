import type { EntityManager } from '@mikro-orm/postgresql';
import type { KnownClass, KnownClasses } from '../task-classes/known-classes.ts';

/** The classes that a file names, each looked for once: those that only a runner has told of cost a query. */
export class FileClasses {
  readonly #em: EntityManager;
  readonly #known: KnownClasses;
  readonly #found = new Map<string, KnownClass | null>();
  #names: Promise<string> | undefined;

  constructor(em: EntityManager, known: KnownClasses) {
    this.#em = em;
    this.#known = known;
  }

  async named(name: string): Promise<KnownClass | null> {
    let found = this.#found.get(name);
    if (found === undefined) {
      found = await this.#known.named(this.#em, name);
      this.#found.set(name, found);
    }
    return found;
  }

  /** Those that it may name. */
  names(): Promise<string> {
    this.#names ??= this.#known.all(this.#em).then((all) => all.map(({ name }) => name).join(', '));
    return this.#names;
  }
}
