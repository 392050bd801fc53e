import { useEffect, useRef, useState } from 'react';
import { navigate } from 'wouter/use-browser-location';
import { guardWayBack } from '../parts/way-back.ts';
import { Dialog } from './form-parts.tsx';

/**
 * Asks before the user leaves a page with unsaved changes: in a dialog for links and for the browser's back and
 * forward, in the browser's own dialog for a reload or another URL. Navigation by the page itself is not asked about.
 */
export function LeavingGuard({ isOn }: { isOn: boolean }) {
  const [leave, setLeave] = useState<(() => void) | null>(null);
  const isLeaving = useRef(false);
  useEffect(() => {
    if (!isOn) return;
    const here = location.href;
    const ask = (go: () => void) => setLeave(() => go);
    const onUnload = (event: BeforeUnloadEvent) => {
      if (!isLeaving.current) event.preventDefault();
    };
    const onClick = (event: MouseEvent) => {
      const path = pathOfLink(event);
      if (path === null || isLeaving.current) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      ask(() => navigate(path));
    };
    const onPop = (event: PopStateEvent) => {
      if (isLeaving.current) return;
      // The browser has already changed the URL: restore it before any other listener reads it.
      event.stopImmediatePropagation();
      history.pushState(null, '', here);
      ask(() => history.back());
    };
    addEventListener('beforeunload', onUnload);
    document.addEventListener('click', onClick, true);
    const endGuard = guardWayBack(onPop);
    return () => {
      removeEventListener('beforeunload', onUnload);
      document.removeEventListener('click', onClick, true);
      endGuard();
    };
  }, [isOn]);
  if (leave === null) return null;
  return (
    <Dialog title="Leave without saving?" onClose={() => setLeave(null)}>
      <p>Your changes are not saved.</p>
      <div className="buttons">
        <button
          type="button"
          className="danger"
          onClick={() => {
            isLeaving.current = true;
            leave();
          }}
        >
          Leave
        </button>
        <button type="button" className="primary" onClick={() => setLeave(null)}>
          Stay
        </button>
      </div>
    </Dialog>
  );
}

/** The path of a clicked link of the dashboard; null for any other click, and for one that opens a new tab. */
function pathOfLink(event: MouseEvent): string | null {
  const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
  const link = event.target instanceof Element ? event.target.closest('a') : null;
  if (!isPlain || link === null || link.target !== '' || link.origin !== location.origin) return null;
  const isHere = link.pathname === location.pathname && link.search === location.search;
  return isHere ? null : `${link.pathname}${link.search}${link.hash}`;
}
