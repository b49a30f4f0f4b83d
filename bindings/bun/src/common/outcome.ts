/** A promise that is made when somebody asks for it, and whose rejection nobody has to take. */

/** How something will have ended. Most sessions have four of these that nobody ever looks at. */
export class Outcome<T> {
  #made: PromiseWithResolvers<T> | undefined;
  #settled: { value: T } | { error: unknown } | undefined;

  /** Always the same promise. */
  get promise(): Promise<T> {
    if (this.#made === undefined) {
      this.#made = Promise.withResolvers<T>();
      this.#made.promise.catch(() => {});
      this.#settle();
    }
    return this.#made.promise;
  }

  /** Resolves it, unless it was settled before. */
  resolve(value: T): void {
    if (this.#settled !== undefined) return;
    this.#settled = { value };
    this.#settle();
  }

  /** Rejects it, unless it was settled before. */
  reject(error: unknown): void {
    if (this.#settled !== undefined) return;
    this.#settled = { error };
    this.#settle();
  }

  /** Whether it is settled. */
  get settled(): boolean {
    return this.#settled !== undefined;
  }

  #settle(): void {
    if (this.#settled === undefined) return;
    if ("error" in this.#settled) this.#made?.reject(this.#settled.error);
    else this.#made?.resolve(this.#settled.value);
  }
}
