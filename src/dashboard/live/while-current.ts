/**
 * For `useEffect(() => whileCurrent((signal) => …), […])`: starts the work and returns the effect's clean-up, which
 * aborts the signal. React calls it when the component unmounts or the effect runs again, so work that checks
 * `signal.aborted` after every `await` never shows an old answer over a newer one. `work` may be async; it must not
 * reject.
 */
export function whileCurrent(work: (signal: AbortSignal) => void): () => void {
  const replaced = new AbortController();
  work(replaced.signal);
  return () => replaced.abort();
}
