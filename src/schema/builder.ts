// The schema builder with the rules for every type: nullability, permissions, limits. Imports no schema file.
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
    /** Operators and admins may write; the mutation checks whose tasks an operator may change. */
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
    nodeTypeOptions: { description: 'An object that `node` can find by its id.' },
    idFieldOptions: { description: 'Global id, unique across all types.' },
    // Written in node.ts: the plugin's own would make every id of every row a promise.
    nodeQueryOptions: false,
    nodesQueryOptions: false,
    pageInfoTypeOptions: { description: 'The position of a page in the list.' },
    hasNextPageFieldOptions: { description: 'Whether there are items after this page.' },
    hasPreviousPageFieldOptions: { description: 'Whether there are items before this page.' },
    startCursorFieldOptions: { description: 'Cursor of the first item; pass it as `before`.' },
    endCursorFieldOptions: { description: 'Cursor of the last item; pass it as `after`.' },
    firstArgOptions: { description: 'Page size, counted from the start of the list. At most 500; 25 by default.' },
    afterArgOptions: { description: 'Only items after this cursor.' },
    lastArgOptions: {
      description: 'Page size, counted from the end of the list. At most 500; cannot be combined with `first`.',
    },
    beforeArgOptions: { description: 'Only items before this cursor.' },
    defaultConnectionTypeOptions: { description: 'A page of a list.' },
    defaultConnectionFieldOptions: { complexity: connectionComplexity },
    edgesFieldOptions: {
      description: 'The items of the page, in list order.',
      nullable: { list: false, items: false },
      // The connection's own field has counted the page's size.
      complexity: { field: 0, multiplier: 1 },
    },
    pageInfoFieldOptions: { description: 'The position of the page in the list.', complexity: 0 },
    defaultEdgeTypeOptions: { description: 'An item in a page.' },
    cursorFieldOptions: { description: 'Cursor of the item; pass it as `after` or `before`.', complexity: 0 },
    nodeFieldOptions: { description: 'The item.', nullable: false },
    relayMutationFieldOptions: { nullable: true },
  },
});

builder.queryType({ description: 'Reads. Instants are in UTC unless their text carries another offset.' });
builder.mutationType({ description: 'Writes. A mutation that fails changes nothing.' });
builder.subscriptionType({ description: 'Live updates.' });
