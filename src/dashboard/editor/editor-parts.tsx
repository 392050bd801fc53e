// Small parts of the task editor.
import type { ReactNode } from 'react';

/** What is wrong with several inputs together. It can have the focus, since no one input is at fault. */
export function Fault({ id, children }: { id?: string; children: ReactNode }) {
  return children ? (
    <p className="fault" id={id} role="alert" tabIndex={-1}>
      {children}
    </p>
  ) : null;
}

/** Opens what hides the first input at fault, and gives it the focus. */
export function focusFirstFault(form: HTMLElement | null): void {
  const found = form?.querySelector<HTMLElement>('[aria-invalid="true"], .fault[tabindex], .failure[tabindex]');
  if (!found) return;
  const details = found.closest('details');
  if (details) details.open = true;
  found.focus();
}
