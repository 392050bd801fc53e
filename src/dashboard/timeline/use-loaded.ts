import type { AnyVariables, TypedDocumentNode } from '@urql/core';
import { useEffect, useRef, useState } from 'react';
import { whileCurrent } from '../live/while-current.ts';
import { useSession } from '../session/context.ts';

interface Loaded<Data> {
  data: Data | null;
  failure: string | null;
}

/**
 * The result of a query, reloaded whenever its variables or `version` change. The last result stays until the next one
 * arrives. With null variables no query is sent.
 */
export function useLoaded<Data, Variables extends AnyVariables>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables | null,
  version: string,
): Loaded<Data> {
  const { client } = useSession();
  const [loaded, setLoaded] = useState<Loaded<Data>>({ data: null, failure: null });
  const latest = useRef(variables);
  latest.current = variables;
  const key = `${version} ${JSON.stringify(variables)}`;
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key stands for the variables, which are a new object on each render
  useEffect(() => {
    const wanted = latest.current;
    if (wanted === null) return setLoaded({ data: null, failure: null });
    return whileCurrent(async (signal) => {
      const { data, error } = await client.query(document, wanted).toPromise();
      if (!signal.aborted) setLoaded((last) => ({ data: data ?? last.data, failure: error?.message ?? null }));
    });
  }, [client, document, key]);
  return loaded;
}
