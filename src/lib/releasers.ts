type Release = () => Promise<unknown>;

/** Acquired resources, released in reverse order. All are released; the first error is kept. */
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
