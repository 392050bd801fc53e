/** A signal that is aborted when `signal` is, or after `seconds`. `dispose` clears its timer. */
export function signalWithin(signal: AbortSignal, seconds: number): { signal: AbortSignal; dispose(): void } {
  const controller = new AbortController();
  const stop = () => controller.abort(new Error('The request was stopped.'));
  const timer = setTimeout(() => {
    controller.abort(new Error(`No whole response within ${seconds} seconds (timeout_seconds).`));
  }, seconds * 1_000);
  if (signal.aborted) stop();
  else signal.addEventListener('abort', stop);
  return {
    signal: controller.signal,
    dispose: () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
    },
  };
}
