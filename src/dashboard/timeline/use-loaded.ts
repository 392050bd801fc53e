import type { AnyVariables, TypedDocumentNode } from '@urql/core';
import { useEffect, useRef, useState } from 'react';
import { whileCurrent } from '../live/while-current.ts';
import { useSession } from '../session/context.ts';

interface Loaded<Data> {
  data: Data | null;
  failure: string | null;
}

/**
 * What a query answers, asked again when its variables change and whenever `version` does; the last answer stays until
 * the next one is there. Null variables ask nothing.
 */
export function useLoaded<Data, Variables extends AnyVariables>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables | null,
  version: string,
): Loaded<Data> {
  const { client } = useSession();
  const [loaded, setLoaded] = useState<Loaded<Data>>({ data: null, failure: null });
  const asked = useRef(variables);
  asked.current = variables;
  const key = `${version} ${JSON.stringify(variables)}`;
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key stands for the variables, which are new each time
  useEffect(() => {
    const wanted = asked.current;
    if (wanted === null) return setLoaded({ data: null, failure: null });
    return whileCurrent(async (signal) => {
      const { data, error } = await client.query(document, wanted).toPromise();
      if (!signal.aborted) setLoaded((last) => ({ data: data ?? last.data, failure: error?.message ?? null }));
    });
  }, [client, document, key]);
  return loaded;
}
