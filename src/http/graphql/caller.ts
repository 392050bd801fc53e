import type { FastifyBaseLogger } from 'fastify';
import type { YogaServerInstance } from 'graphql-yoga';
import type { User } from '../../entities/index.ts';
import type { Context, Opening, RequestScope } from '../../schema/context.ts';
import type { OperationInfo } from './operation-names.ts';

/** What a transport knows of a call. */
export interface Caller extends RequestScope {
  log: FastifyBaseLogger;
  viewer: User;
  /** The key that the call came with, and its public half. */
  apiKeyId: number;
  apiKey: string;
  /** The address that it came from. */
  origin: string;
  lastEventId?: string | undefined;
  opening?: Opening;
  /** Breaks the connection off, where the transport is HTTP. */
  cutOff?: () => void;
  /** Takes what becomes known of the operation. */
  operationInfo?: OperationInfo;
}

export type Gateway = YogaServerInstance<Caller, Context>;
