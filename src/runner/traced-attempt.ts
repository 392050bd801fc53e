// The span of an attempt: its identity and outcome, without its data, log or message.

import { toGlobalId } from '../lib/global-id.ts';
import type { Span, Tracing } from '../tracing/tracing.ts';
import type { Attempt, Outcome } from './attempt.ts';

/**
 * Begins the span of an attempt, in the trace of the request for the run. A scheduled run begins a trace of its own,
 * which its later attempts continue.
 */
export function beginAttempt(tracing: Tracing, attempt: Attempt): Span {
  const span = tracing.attempt(attempt.runTraceparent, {
    'slotkeeper.task.id': toGlobalId('Task', attempt.taskId),
    'slotkeeper.task.class': attempt.className,
    'slotkeeper.run.id': toGlobalId('Run', attempt.runId),
    'slotkeeper.run.trigger': attempt.trigger,
    'slotkeeper.attempt': attempt.attempt,
  });
  if (attempt.slot !== null) span.set({ 'slotkeeper.run.slot': attempt.slot.toISOString() });
  attempt.traceparent = span.traceparent;
  attempt.runTraceparent ??= span.traceparent;
  return span;
}

/** FAILED and HANDED_BACK are outcomes of the attempt; the run may be retried. */
export function endAttempt(span: Span, { state }: Outcome): void {
  span.set({ 'slotkeeper.state': state });
  if (state === 'FAILED') span.fail();
  span.end();
}
