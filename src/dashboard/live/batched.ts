/** Collects what comes within a frame. */
export function batched<Item>(take: (items: readonly Item[]) => void): (item: Item) => void {
  let waiting: Item[] = [];
  return (item) => {
    waiting.push(item);
    if (waiting.length > 1) return;
    // In a tab that nobody sees there are no frames.
    const later = document.hidden ? (work: () => void) => setTimeout(work, 250) : requestAnimationFrame;
    later(() => {
      const items = waiting;
      waiting = [];
      take(items);
    });
  };
}
