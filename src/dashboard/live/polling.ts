import { useEffect } from 'react';

/**
 * Does the work now, and again so many milliseconds after it is done, while somebody sees the page; at once when they
 * come back to it. A stable `work` goes on, another begins anew.
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
