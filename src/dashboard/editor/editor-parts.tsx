// Small parts of the task editor.
import type { ReactNode } from 'react';

/** A fault of several inputs together. It can have the focus, since no single input is at fault. */
export function Fault({ id, children }: { id?: string; children: ReactNode }) {
  return children ? (
    <p className="fault" id={id} role="alert" tabIndex={-1}>
      {children}
    </p>
  ) : null;
}

/** Focuses the first input or message at fault, and opens the section that hides it. */
export function focusFirstFault(form: HTMLElement | null): void {
  const found = form?.querySelector<HTMLElement>('[aria-invalid="true"], .fault[tabindex], .failure[tabindex]');
  if (!found) return;
  const details = found.closest('details');
  if (details) details.open = true;
  found.focus();
}
