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

/** Why it ran, did not run, or was not due, at any moment that whoever asks picks; the address keeps which. */
export function Why({ task }: { task: Task }) {
  const { client } = useSession();
  const [address, setAddress] = useSearchParams();
  const [told, setTold] = useState<Explanation | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const asked = address.get('at');
  useEffect(() => {
    if (asked === null) return;
    return whileCurrent(async (signal) => {
      const { data, error } = await client.query(ExplainDocument, { task: task.id, at: asked }).toPromise();
      if (signal.aborted) return;
      setFailure(error?.message ?? null);
      setTold(data?.explainSlot ?? null);
    });
  }, [client, task.id, asked]);
  const pick = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const picked = new Date(String(new FormData(event.currentTarget).get('at')));
    if (Number.isNaN(picked.getTime())) return setFailure('Pick a date and a time.');
    setAddress({ at: picked.toISOString() }, { replace: true });
  };
  return (
    <section aria-labelledby="why">
      <h2 id="why">Why did it run, or not?</h2>
      <form className="filters" onSubmit={pick}>
        <label>
          At
          <input type="datetime-local" name="at" required defaultValue={formatLocalInput(asked)} />
        </label>
        <button type="submit">Explain</button>
      </form>
      <Failure message={failure} />
      {told !== null && (
        <div className="outcome" role="status">
          <VerdictBadge verdict={told.verdict} /> {told.because} <span className="quiet">{told.localTime}</span>{' '}
          {told.run && <Link href={`/runs/${encodeURIComponent(told.run.id)}`}>Its run</Link>}
          {told.exclusions.length > 0 && (
            <ul>
              {told.exclusions.map(({ rule, field, message }) => (
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
