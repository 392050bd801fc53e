// Intercepts the browser's Back and Forward before the router does. The listener is added when this module loads, because
// the listeners of the window run in the order in which they were added.
type Guard = (event: PopStateEvent) => void;

let guard: Guard | null = null;

addEventListener('popstate', (event) => guard?.(event), true);

/** Calls `by` on Back and Forward. At most one page guards at a time. Returns a function that ends it. */
export function guardWayBack(by: Guard): () => void {
  guard = by;
  return () => {
    if (guard === by) guard = null;
  };
}
