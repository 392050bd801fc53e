import { type GraphQLResolveInfo, Kind, type SelectionSetNode } from 'graphql';

/** By field node and path. A document is parsed once for the same text. */
const known = new WeakMap<object, Map<string, ReadonlySet<string>>>();

type Fragments = GraphQLResolveInfo['fragments'];

/**
 * The names of the fields that the operation selects at `path` below the resolved field, such as `edges.node`. Includes
 * fields that a directive may skip, and fields of one of several types.
 */
export function selectedFields({ fieldNodes, fragments }: GraphQLResolveInfo, path: string): ReadonlySet<string> {
  const collect = () => {
    const names = new Set<string>();
    for (const { selectionSet } of fieldNodes) collectNames(selectionSet, path.split('.'), fragments, names);
    return names;
  };
  const [first] = fieldNodes;
  // A field that is selected more than once has more than one node.
  if (first === undefined || fieldNodes.length > 1) return collect();
  const byPath = known.get(first) ?? new Map<string, ReadonlySet<string>>();
  const names = byPath.get(path) ?? collect();
  known.set(first, byPath.set(path, names));
  return names;
}

function collectNames(
  selectionSet: SelectionSetNode | undefined,
  path: readonly string[],
  fragments: Fragments,
  names: Set<string>,
): void {
  const [step, ...rest] = path;
  for (const selection of selectionSet?.selections ?? []) {
    if (selection.kind === Kind.INLINE_FRAGMENT) collectNames(selection.selectionSet, path, fragments, names);
    else if (selection.kind === Kind.FRAGMENT_SPREAD)
      collectNames(fragments[selection.name.value]?.selectionSet, path, fragments, names);
    else if (step === undefined) names.add(selection.name.value);
    else if (selection.name.value === step) collectNames(selection.selectionSet, rest, fragments, names);
  }
}
