import { useEffect } from 'react';

/**
 * Does the work now and again `milliseconds` after each end, while the page is visible; at once when it becomes visible
 * again. Another `work` function restarts the polling, so it must be stable.
 */
export function usePolling(work: () => Promise<unknown>, milliseconds: number): void {
  useEffect(() => {
    let isOver = false;
    let isBusy = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const turn = async () => {
      if (isOver || isBusy || document.hidden) return;
      isBusy = true;
      clearTimeout(timer);
      await work().catch(() => undefined);
      isBusy = false;
      if (!isOver) timer = setTimeout(() => void turn(), milliseconds);
    };
    const onVisible = () => void turn();
    document.addEventListener('visibilitychange', onVisible);
    void turn();
    return () => {
      isOver = true;
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', onVisible);
    };
  }, [work, milliseconds]);
}
