import { inject } from 'vitest';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Whether this is `npm run test:soak`: all tests, with as many rows, kills and minutes as a night allows. */
    isSoak: boolean;
  }
}

/** How much of something a test does: `few` by default, `many` in a soak. What is asserted is the same. */
export function inSoak(many: number, few: number): number {
  return inject('isSoak') ? many : few;
}
