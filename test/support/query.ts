// Executes operations on the schema alone, without a server.
import type { MikroORM } from '@mikro-orm/postgresql';
import { type ExecutionResult, graphql, parse } from 'graphql';
import { compileQuery, isCompiledQuery } from 'graphql-jit';
import type { Role } from '../../src/entities/user.ts';
import { hideError } from '../../src/http/graphql/errors.ts';
import type { Context } from '../../src/schema/context.ts';
import { schema } from '../../src/schema/index.ts';
import { processHoldingTask } from '../../src/task-classes/built-in/process-holding-task.ts';
import { KnownClasses } from '../../src/task-classes/known-classes.ts';
import { TaskClasses } from '../../src/task-classes/registry.ts';
import { isCompiled } from './compiled.ts';

interface AskOptions {
  role?: Role;
  variables?: Record<string, unknown>;
}

/** The user with id 1, in that role, asks. What needs the tail or the jobs cannot be asked here. */
export async function execute(
  orm: MikroORM,
  source: string,
  { role = 'ADMIN', variables = {} }: AskOptions = {},
): Promise<ExecutionResult> {
  const viewer = { id: 1, name: 'admin', role, createdAt: new Date(0) };
  const asked: Pick<Context, 'em' | 'taskClasses' | 'timeZone' | 'apiKey' | 'origin'> = {
    em: orm.em.fork(),
    taskClasses: new KnownClasses(new TaskClasses([processHoldingTask(30)])),
    timeZone: 'UTC',
    apiKey: 'admin-key',
    origin: 'the schema alone',
  };
  const contextValue = { ...asked, viewer };
  if (isCompiled(source)) {
    // As in the product, what cannot be compiled or fails is executed the other way.
    const compiled = compileQuery(schema, parse(source));
    const result = isCompiledQuery(compiled) ? await compiled.query({}, contextValue, variables) : undefined;
    if (result !== undefined && result.errors === undefined) return result;
  }
  const call = graphql({ schema, source, variableValues: variables, contextValue });
  const { errors, ...result } = (await call) as ExecutionResult;
  return errors === undefined ? result : { ...result, errors: errors.map(hideError) };
}

/** The data of an operation that must succeed. */
export async function query<Data>(orm: MikroORM, source: string, variables: Record<string, unknown> = {}) {
  const { data, errors } = await execute(orm, source, { variables });
  if (errors !== undefined) throw new AggregateError(errors, errors.map(({ message }) => message).join('; '));
  return data as Data;
}

/** Code and field of the first error of an operation that must fail. */
export async function refusal(orm: MikroORM, source: string, options: AskOptions = {}) {
  const { errors } = await execute(orm, source, options);
  const [error] = errors ?? [];
  if (error === undefined) throw new Error(`nothing was refused: ${source}`);
  return { code: error.extensions.code, field: error.extensions.field, message: error.message };
}
