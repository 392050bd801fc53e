type Release = () => Promise<unknown>;

/** What was acquired, to be released in reverse order. All of it is released; the first error is the one kept. */
export class Releasers {
  readonly #stack: Release[] = [];

  push(release: Release): void {
    this.#stack.push(release);
  }

  async releaseAll(): Promise<void> {
    const errors: unknown[] = [];
    for (let release = this.#stack.pop(); release !== undefined; release = this.#stack.pop()) {
      await release().catch((error: unknown) => errors.push(error));
    }
    if (errors.length > 0) throw errors[0];
  }
}
