import { type FormEvent, useEffect, useState } from 'react';
import { Link, useSearchParams } from 'wouter';
import type { Task } from '../live/use-task.ts';
import { whileCurrent } from '../live/while-current.ts';
import { ExplainDocument, type ExplainQuery } from '../operations.ts';
import { useSession } from '../session/context.ts';
import { formatLocalInput } from './format.ts';
import { Failure } from './parts.tsx';

type Explanation = ExplainQuery['explainSlot'];

const LOOKS: Partial<Record<Explanation['verdict'], string>> = {
  RAN: 'succeeded',
  SKIPPED: 'skipped',
  PENDING: 'running',
  UNACCOUNTED: 'failed',
};

function VerdictBadge({ verdict }: Pick<Explanation, 'verdict'>) {
  return <span className={`badge ${LOOKS[verdict] ?? ''}`}>{verdict.toLowerCase().replaceAll('_', ' ')}</span>;
}

/** Explains why the task ran, did not run or was not due at a chosen time. The address holds that time. */
export function Why({ task }: { task: Task }) {
  const { client } = useSession();
  const [address, setAddress] = useSearchParams();
  const [explanation, setExplanation] = useState<Explanation | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const asked = address.get('at');
  useEffect(() => {
    if (asked === null) return;
    return whileCurrent(async (signal) => {
      const { data, error } = await client.query(ExplainDocument, { task: task.id, at: asked }).toPromise();
      if (signal.aborted) return;
      setFailure(error?.message ?? null);
      setExplanation(data?.explainSlot ?? null);
    });
  }, [client, task.id, asked]);
  const pick = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const picked = new Date(String(new FormData(event.currentTarget).get('at')));
    if (Number.isNaN(picked.getTime())) return setFailure('Choose a date and time.');
    setAddress({ at: picked.toISOString() }, { replace: true });
  };
  return (
    <section aria-labelledby="why">
      <h2 id="why">Why did it run or not run?</h2>
      <form className="filters" onSubmit={pick}>
        <label>
          At
          <input type="datetime-local" name="at" required defaultValue={formatLocalInput(asked)} />
        </label>
        <button type="submit">Explain</button>
      </form>
      <Failure message={failure} />
      {explanation !== null && (
        <div className="outcome" role="status">
          <VerdictBadge verdict={explanation.verdict} /> {explanation.because}{' '}
          <span className="quiet">{explanation.localTime}</span>{' '}
          {explanation.run && <Link href={`/runs/${encodeURIComponent(explanation.run.id)}`}>Open run</Link>}
          {explanation.exclusions.length > 0 && (
            <ul>
              {explanation.exclusions.map(({ rule, field, message }) => (
                <li key={`${rule} ${field}`}>
                  Rule {rule + 1}: {message}
                </li>
              ))}
            </ul>
          )}
        </div>
      )}
    </section>
  );
}
