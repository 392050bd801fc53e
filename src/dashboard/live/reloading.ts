import { pause } from './pause.ts';

/** How soon a load that failed is tried again. */
export const RELOAD_MS = 2_000;

/** One load at a time, again where it is asked for meanwhile, and until one has worked: the newest answer is the last. */
export function refresher(load: () => Promise<boolean>): () => Promise<void> {
  let isWanted = false;
  let loading: Promise<void> | undefined;
  const loadWhileWanted = async () => {
    while (isWanted) {
      isWanted = false;
      if (await load()) continue;
      isWanted = true;
      await pause(RELOAD_MS);
    }
    loading = undefined;
  };
  return () => {
    isWanted = true;
    loading ??= loadWhileWanted();
    return loading;
  };
}
