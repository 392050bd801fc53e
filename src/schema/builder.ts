// The schema builder and what holds for every type: nullability, permissions, limits. Imports no schema file.
import SchemaBuilder from '@pothos/core';
import ComplexityPlugin from '@pothos/plugin-complexity';
import DataloaderPlugin from '@pothos/plugin-dataloader';
import RelayPlugin from '@pothos/plugin-relay';
import ScopeAuthPlugin from '@pothos/plugin-scope-auth';

import { forbidden } from '../lib/faults.ts';
import { beyond, connectionComplexity, LIMITS } from './complexity.ts';
import type { Context } from './context.ts';

interface SchemaTypes {
  Context: Context;
  AuthScopes: {
    /** Any user: reads. */
    viewer: boolean;
    /** Operators and admins: writes; whose tasks an operator may write is the mutation's to check. */
    operator: boolean;
    admin: boolean;
  };
  DefaultFieldNullability: false;
  DefaultEdgesNullability: { list: false; items: false };
  DefaultNodeNullability: false;
  Scalars: {
    ID: { Input: string; Output: string };
    /** Text is a timestamptz as the database writes it. */
    DateTime: { Input: Date; Output: Date | string };
    Date: { Input: string; Output: string };
    JSON: { Input: unknown; Output: unknown };
    Cidr: { Input: string; Output: string };
    DnsSerial: { Input: number; Output: number };
  };
}

export const builder = new SchemaBuilder<SchemaTypes>({
  plugins: [ScopeAuthPlugin, RelayPlugin, DataloaderPlugin, ComplexityPlugin],
  defaultFieldNullability: false,
  scopeAuth: {
    authorizeOnSubscribe: true,
    authScopes: ({ viewer: { role } }) => ({
      viewer: true,
      operator: role !== 'VIEWER',
      admin: role === 'ADMIN',
    }),
    unauthorizedError: (_parent, context, info) =>
      forbidden(`${info.fieldName} is not open to the role ${context.viewer.role}`),
  },
  complexity: {
    // The gateway weighs each operation as a whole, before it is executed.
    limit: ({ isWeighed }) => (isWeighed ? {} : LIMITS),
    complexityError: (kind, { complexity, depth, breadth }) => {
      const found = { Complexity: complexity, Depth: depth, Breadth: breadth }[kind];
      return beyond(kind.toLowerCase() as 'complexity' | 'depth' | 'breadth', found);
    },
  },
  relay: {
    clientMutationId: 'omit',
    nodeTypeOptions: { description: 'Anything that `node` finds by its id.' },
    idFieldOptions: { description: 'Unique among all types.' },
    // Written in node.ts: the plugin's own would make every id of every row a promise.
    nodeQueryOptions: false,
    nodesQueryOptions: false,
    pageInfoTypeOptions: { description: 'Where a page lies in the whole list.' },
    hasNextPageFieldOptions: { description: 'Whether more follows the page.' },
    hasPreviousPageFieldOptions: { description: 'Whether something comes before the page.' },
    startCursorFieldOptions: { description: 'For `before`: the first item of the page.' },
    endCursorFieldOptions: { description: 'For `after`: the last item of the page.' },
    firstArgOptions: { description: 'The first so many: 25 unless given, 500 at most.' },
    afterArgOptions: { description: 'Only what follows this cursor.' },
    lastArgOptions: { description: 'The last so many instead, 500 at most; not together with `first`.' },
    beforeArgOptions: { description: 'Only what comes before this cursor.' },
    defaultConnectionTypeOptions: { description: 'One page of a list.' },
    defaultConnectionFieldOptions: { complexity: connectionComplexity },
    edgesFieldOptions: {
      description: 'The items of the page, in order.',
      nullable: { list: false, items: false },
      // The connection's own field has counted the page's size.
      complexity: { field: 0, multiplier: 1 },
    },
    pageInfoFieldOptions: { description: 'Where the page lies.', complexity: 0 },
    defaultEdgeTypeOptions: { description: 'An item of a page.' },
    cursorFieldOptions: { description: 'The position of the item, for `after` and `before`.', complexity: 0 },
    nodeFieldOptions: { description: 'The item.', nullable: false },
    mutationInputArgOptions: { description: 'All of it.' },
    relayMutationFieldOptions: { nullable: true },
  },
});

builder.queryType({ description: 'What can be read. An instant is UTC unless its text carries another offset.' });
builder.mutationType({ description: 'What can be changed. A mutation that fails has changed nothing.' });
builder.subscriptionType({ description: 'What is told as it happens.' });
