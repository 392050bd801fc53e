/** Collects items and hands them over together, once per animation frame. */
export function batched<Item>(take: (items: readonly Item[]) => void): (item: Item) => void {
  let waiting: Item[] = [];
  return (item) => {
    waiting.push(item);
    if (waiting.length > 1) return;
    // A hidden tab has no animation frames.
    const later = document.hidden ? (work: () => void) => setTimeout(work, 250) : requestAnimationFrame;
    later(() => {
      const items = waiting;
      waiting = [];
      take(items);
    });
  };
}
