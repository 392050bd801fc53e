import { useEffect, useId, useState } from 'react';
import { pause } from '../live/pause.ts';
import { whileCurrent } from '../live/while-current.ts';
import { TYPED_MS } from './intervals.ts';

export interface Found {
  id: string;
  label: string;
}

interface FinderProps {
  label: string;
  /** The selection; null for none. */
  chosen: Found | null;
  find: (text: string) => Promise<readonly Found[]>;
  onChoose: (found: Found | null) => void;
}

/** Selects one of many by part of its name. `find` must keep its identity between renders. */
export function Finder({ label, chosen, find, onChoose }: FinderProps) {
  const id = useId();
  const [text, setText] = useState('');
  const [found, setFound] = useState<readonly Found[] | null>(null);
  useEffect(() => {
    if (text === '') return setFound(null);
    return whileCurrent(async (signal) => {
      await pause(TYPED_MS, signal);
      if (signal.aborted) return;
      const answer = await find(text).catch(() => []);
      if (!signal.aborted) setFound(answer);
    });
  }, [text, find]);
  const choose = (each: Found) => {
    setText('');
    onChoose(each);
  };
  if (chosen !== null) {
    return (
      <div className="field">
        <span className="label">{label}</span>
        <span className="chosen">
          <span>{chosen.label}</span>
          <button type="button" aria-label={`Any ${label.toLowerCase()}`} onClick={() => onChoose(null)}>
            ×
          </button>
        </span>
      </div>
    );
  }
  return (
    <div className="field finder">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        type="search"
        value={text}
        placeholder="Part of the name"
        autoComplete="off"
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => event.key === 'Escape' && setText('')}
      />
      {text !== '' && found !== null && (
        <ul aria-label={`Results for ${label.toLowerCase()}`}>
          {found.length === 0 && <li className="quiet">No name contains this text.</li>}
          {found.map((each) => (
            <li key={each.id}>
              <button type="button" onClick={() => choose(each)}>
                {each.label}
              </button>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
