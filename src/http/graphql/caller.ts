import type { FastifyBaseLogger } from 'fastify';
import type { YogaServerInstance } from 'graphql-yoga';
import type { User } from '../../entities/index.ts';
import type { Context, Opening, RequestScope } from '../../schema/context.ts';
import type { OperationInfo } from './operation-names.ts';

/** What a transport knows about a call. */
export interface Caller extends RequestScope {
  log: FastifyBaseLogger;
  viewer: User;
  /** The id of the API key of the call, and the public half of that key. */
  apiKeyId: number;
  apiKey: string;
  /** The IP address of the client. */
  origin: string;
  lastEventId?: string | undefined;
  opening?: Opening;
  /** Destroys the connection; HTTP only. */
  cutOff?: () => void;
  /** Collects what becomes known about the operation. */
  operationInfo?: OperationInfo;
}

export type Gateway = YogaServerInstance<Caller, Context>;
