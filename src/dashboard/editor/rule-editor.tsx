// The form of a task's rules: a card for each, and a preview of the next slots of all of them.
import { useEffect, useState } from 'react';
import { pause } from '../live/pause.ts';
import { whileCurrent } from '../live/while-current.ts';
import { NextSlotsDocument, type NextSlotsQuery } from '../operations.ts';
import { DST_NOTES } from '../parts/dst-notes.ts';
import { formatTime } from '../parts/format.ts';
import { Empty } from '../parts/parts.tsx';
import { useSession } from '../session/context.ts';
import { Fault } from './editor-parts.tsx';
import { faultsOf } from './form-parts.tsx';
import { RuleCard } from './rule-card.tsx';
import {
  allItemsOf,
  faultsOfNever,
  itemsOf,
  newRule,
  placeRuleFaults,
  type RuleDraft,
  type RuleFaults,
} from './rule-form.ts';
import { ruleField } from './task-faults.ts';

/** How many upcoming slots are shown. */
const SLOTS = 6;
const DEBOUNCE_MS = 300;
/** The server's limit. */
const MAX_ITEMS = 100;

interface Preview {
  slots: NextSlotsQuery['previewSchedule']['slots'];
  /** Why there are none. */
  message: string | null;
  faults: ReadonlyMap<number, RuleFaults>;
}

const NO_PREVIEW: Preview = { slots: [], message: null, faults: new Map() };

/** The server's preview of the rules, queried DEBOUNCE_MS after the last change; the previous one stays until then. */
function usePreview(rules: readonly RuleDraft[], timeZone: string): Preview {
  const { client } = useSession();
  const [preview, setPreview] = useState(NO_PREVIEW);
  useEffect(() => {
    if (rules.some((rule) => itemsOf(rule).faults.size > 0)) {
      setPreview({ ...NO_PREVIEW, message: 'A rule is incomplete.' });
      return;
    }
    return whileCurrent(async (signal) => {
      await pause(DEBOUNCE_MS, signal);
      if (signal.aborted) return;
      const zone = timeZone.trim();
      const input = { repeatItems: allItemsOf(rules), ...(zone === '' ? {} : { timeZone: zone }) };
      const { data, error } = await client.query(NextSlotsDocument, { input, count: SLOTS }).toPromise();
      if (signal.aborted) return;
      const told = faultsOf(error);
      const never = data?.previewSchedule.neverFires ?? null;
      const found = [...told.byField, ...faultsOfNever(never ?? '')];
      const faults = placeRuleFaults(found, rules);
      const elsewhere = told.byField.get('input.timeZone') ?? told.byField.get('input.repeatItems') ?? told.other;
      const summary = faults.size > 0 ? 'A rule is invalid.' : (elsewhere ?? never);
      setPreview({ slots: data?.previewSchedule.slots ?? [], message: summary ?? null, faults });
    });
  }, [client, rules, timeZone]);
  return preview;
}

interface RulesEditorProps {
  rules: readonly RuleDraft[];
  timeZone: string;
  /** By `ruleField`; those of the rules as a whole by `input.repeatItems`. */
  faults: ReadonlyMap<string, string>;
  onChange: (rules: readonly RuleDraft[]) => void;
}

export function RulesEditor({ rules, timeZone, faults, onChange }: RulesEditorProps) {
  const preview = usePreview(rules, timeZone);
  const add = () => onChange([...rules, newRule(Math.max(0, ...rules.map(({ key }) => key)) + 1)]);
  return (
    <div className="schedule">
      <div className="rules">
        <Fault>{faults.get('input.repeatItems')}</Fault>
        {rules.length === 0 && <Empty>No rules: the task runs only on request.</Empty>}
        {rules.map((rule, index) => (
          <RuleCard
            key={rule.key}
            rule={rule}
            number={index + 1}
            faultOf={(field) => faults.get(ruleField(rule.key, field)) ?? preview.faults.get(rule.key)?.get(field)}
            onChange={(changed) => onChange(rules.with(index, changed))}
            onRemove={() => onChange(rules.toSpliced(index, 1))}
          />
        ))}
        {allItemsOf(rules).length < MAX_ITEMS && (
          <button type="button" onClick={add}>
            Add a rule
          </button>
        )}
      </div>
      <section className="preview" aria-labelledby="preview">
        <h3 id="preview">Next slots</h3>
        <ol className="slots" aria-live="polite">
          {preview.slots.map(({ at, localTime, dstNote }) => (
            <li key={at}>
              <time dateTime={at} title={`${localTime} in the time zone of the task`}>
                {formatTime(at)}
              </time>
              {dstNote && <span className="quiet">, {DST_NOTES[dstNote]}</span>}
            </li>
          ))}
        </ol>
        {preview.slots.length > 0 && <p className="hint">In your time zone; hover for the time zone of the task.</p>}
        {preview.message !== null && <p className="quiet">{preview.message}</p>}
      </section>
    </div>
  );
}
