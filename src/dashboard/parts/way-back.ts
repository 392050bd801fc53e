// The browser's back and forward, before the router hears of them. The listener is there from the beginning, since those of
// the window are called in the order in which they were added.
type Guard = (event: PopStateEvent) => void;

let guard: Guard | null = null;

addEventListener('popstate', (event) => guard?.(event), true);

/** At most one page guards at a time. Returns what ends it. */
export function guardWayBack(by: Guard): () => void {
  guard = by;
  return () => {
    if (guard === by) guard = null;
  };
}
