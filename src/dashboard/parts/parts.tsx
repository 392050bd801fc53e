// Small components that several pages share.
import { type ReactNode, useEffect, useState } from 'react';
import { serverNow } from '../live/clock.ts';
import type { RunState } from '../operations.ts';
import { formatAge, formatDuration, formatIn, formatTime, STATE_NAMES } from './format.ts';

interface PageTitleProps {
  /** The title of the browser tab, if it differs from the heading. */
  name?: string;
  children: ReactNode;
}

/** The heading of a page; it also sets the title of the browser tab. */
export function PageTitle({ name, children }: PageTitleProps) {
  const title = name ?? String(children);
  useEffect(() => {
    document.title = `${title} – Slotkeeper`;
  }, [title]);
  return <h1>{children}</h1>;
}

export function StateBadge({ state }: { state: RunState }) {
  return <span className={`badge ${state.toLowerCase()}`}>{STATE_NAMES[state]}</span>;
}

/** A time in the browser's time zone; the tooltip shows it in the task's. */
export function Time({ at, timeZone }: { at: string | null | undefined; timeZone?: string }) {
  if (!at) return <span className="quiet">—</span>;
  return (
    <time dateTime={at} title={timeZone === undefined ? at : formatIn(at, timeZone)}>
      {formatTime(at)}
    </time>
  );
}

/** The current time by the server's clock, updated every second. */
export function useNow(): number {
  const [now, setNow] = useState(serverNow);
  useEffect(() => {
    const timer = setInterval(() => setNow(serverNow()), 1_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

export function Countdown({ to, now, timeZone }: { to: string | null | undefined; now: number; timeZone: string }) {
  if (!to) return <span className="quiet">not planned</span>;
  const seconds = (Date.parse(to) - now) / 1_000;
  return (
    <time dateTime={to} title={`${formatTime(to)}\n${formatIn(to, timeZone)}`}>
      {seconds <= 0 ? 'due' : `in ${formatDuration(seconds)}`}
    </time>
  );
}

/** How long ago; the tooltip shows the exact time. */
export function Ago({ at, now, timeZone }: { at: string; now: number; timeZone?: string }) {
  const there = timeZone === undefined ? '' : `\n${formatIn(at, timeZone)}`;
  return (
    <time dateTime={at} title={`${formatTime(at)}${there}`}>
      {formatAge((now - Date.parse(at)) / 1_000)}
    </time>
  );
}

export function ProgressBar({ value, label }: { value: number | null | undefined; label: string }) {
  return value === null || value === undefined ? (
    <progress aria-label={label} />
  ) : (
    <progress aria-label={label} value={value} max={1} />
  );
}

export function Failure({ message }: { message: string | null | undefined }) {
  return message ? (
    <p className="failure" role="alert">
      {message}
    </p>
  ) : null;
}

/** Shown in place of empty content; says what to do next. */
export function Empty({ children }: { children: ReactNode }) {
  return <p className="empty">{children}</p>;
}
