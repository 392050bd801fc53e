import { pause } from './pause.ts';

/** The pause before a failed load is retried. */
export const RELOAD_MS = 2_000;

/** Loads one at a time, once more if asked meanwhile, and again until it succeeds: the last answer is the newest. */
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
