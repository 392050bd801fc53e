import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { testDatabase } from '../support/database.ts';
import { query, refusal } from '../support/query.ts';

let database: Awaited<ReturnType<typeof testDatabase>>;

beforeAll(async () => {
  database = await testDatabase();
});

afterAll(() => database.close());

beforeEach(async () => {
  await database.orm.em.fork().getConnection().execute('truncate ip_block restart identity');
});

interface Block {
  id: string;
  cidr: string;
  state: string;
  assignee: string | null;
  heldAt: string | null;
}

async function add(cidrs: string[], pool = 'default'): Promise<Block[]> {
  const { addIpBlocks } = await query<{ addIpBlocks: { ipBlocks: Block[] } }>(
    database.orm,
    'mutation ($input: AddIpBlocksInput!) { addIpBlocks(input: $input) { ipBlocks { id cidr family state assignee heldAt } } }',
    { input: { cidrs, pool } },
  );
  return addIpBlocks.ipBlocks;
}

const refuseAdd = (cidrs: string[], role?: 'VIEWER' | 'OPERATOR') =>
  refusal(database.orm, 'mutation ($cidrs: [Cidr!]!) { addIpBlocks(input: {cidrs: $cidrs}) { ipBlocks { id } } }', {
    variables: { cidrs },
    ...(role === undefined ? {} : { role }),
  });

const list = (filter = '') =>
  query<{ ipBlocks: { edges: { node: Block }[] } }>(
    database.orm,
    `{ ipBlocks(filter: {${filter}}) { edges { node { cidr } } } }`,
  ).then(({ ipBlocks }) => ipBlocks.edges.map(({ node }) => node.cidr));

test('blocks are added in their order and found by pool, family and surrounding block', async () => {
  const given = ['10.2.0.0/16', '10.1.0.0/16', '2001:db8::/32', '192.168.0.1/32'];
  expect((await add(given)).map(({ cidr }) => cidr)).toEqual(given);
  await add(['10.1.0.0/16'], 'other');
  expect(await list('pool: "default", within: "10.0.0.0/8"')).toEqual(['10.2.0.0/16', '10.1.0.0/16']);
  expect(await list('family: 6')).toEqual(['2001:db8::/32']);
});

test('an overlap is a CONFLICT that names both blocks, and nothing is added', async () => {
  await add(['10.0.0.0/16']);
  const stored = await refuseAdd(['11.0.0.0/16', '10.0.1.0/24']);
  expect(stored).toMatchObject({ code: 'CONFLICT', field: 'input.cidrs' });
  expect(stored.message).toContain('10.0.1.0/24 overlaps 10.0.0.0/16');
  const given = await refuseAdd(['12.0.0.0/16', '12.0.1.0/24']);
  expect(given).toMatchObject({ code: 'CONFLICT', field: 'input.cidrs' });
  expect(given.message).toContain('12.0.1.0/24 overlaps 12.0.0.0/16');
  expect(await list()).toEqual(['10.0.0.0/16']);
});

test.each(['10.0.0.1/16', '10.0.0.0', '10.0.0.0/33', '10.0.0.0/08', '::1/64', 'fe80::%eth0/64', '1.2.3.4/5/6', ''])(
  '"%s" is no block',
  async (cidr) => {
    expect(await refuseAdd([cidr])).toMatchObject({ code: 'BAD_USER_INPUT' });
  },
);

test.each(['0.0.0.0/0', '::/0', '::ffff:10.0.0.0/104', '2001:db8:0:1::/64', '255.255.255.255/32'])(
  '"%s" is a block, for the database too',
  async (cidr) => {
    expect(await add([cidr])).toHaveLength(1);
  },
);

test('a block is assigned, held and free again; from another state it is a CONFLICT', async () => {
  const [block] = await add(['10.0.0.0/24']);
  const change = (name: string, input: string) =>
    `mutation { ${name}(input: {id: "${block?.id}" ${input}}) { ipBlock { state assignee heldAt } } }`;
  const assign = change('assignIpBlock', 'assignee: "a customer"');
  const unassign = change('unassignIpBlock', '');
  expect(await refusal(database.orm, unassign)).toMatchObject({ code: 'CONFLICT', field: 'input.id' });
  expect(await query(database.orm, assign)).toEqual({
    assignIpBlock: { ipBlock: { state: 'ASSIGNED', assignee: 'a customer', heldAt: null } },
  });
  expect(await refusal(database.orm, assign)).toMatchObject({ code: 'CONFLICT' });
  expect(await query(database.orm, unassign)).toEqual({
    unassignIpBlock: { ipBlock: { state: 'HOLDING', assignee: null, heldAt: expect.any(String) } },
  });
  expect(await refusal(database.orm, assign)).toMatchObject({ code: 'CONFLICT' });
  expect(await refusal(database.orm, assign, { role: 'VIEWER' })).toMatchObject({ code: 'FORBIDDEN' });
  const absent = 'mutation { unassignIpBlock(input: {id: "SXBCbG9jazo5OQ=="}) { ipBlock { id } } }';
  expect(await refusal(database.orm, absent)).toMatchObject({ code: 'NOT_FOUND', field: 'input.id' });
});

test('of callers who add the same blocks at once, one does', async () => {
  const cidrs = ['10.0.0.0/24', '10.0.1.0/24', '10.0.2.0/24'];
  const results = await Promise.allSettled([add(cidrs), add(cidrs.toReversed()), add(cidrs), add(cidrs.toReversed())]);
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  const reasons = results.flatMap((result) => (result.status === 'rejected' ? [String(result.reason)] : []));
  for (const reason of reasons) expect(reason).toContain('overlaps');
});

test('viewers may not write, operators may', async () => {
  expect(await refuseAdd(['10.0.0.0/24'], 'VIEWER')).toMatchObject({ code: 'FORBIDDEN' });
  expect(await refuseAdd([], 'OPERATOR')).toMatchObject({ code: 'BAD_USER_INPUT' });
});
