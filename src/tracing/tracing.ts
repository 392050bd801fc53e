// What the product knows of traces.

export type Attributes = Readonly<Record<string, string | number | boolean>>;

/** Something under way that a trace shows. Nothing of a caller's text goes into one: it may hold a secret. */
export interface Span {
  readonly traceId: string;
  /** What continues the trace elsewhere, as W3C Trace Context writes it. */
  readonly traceparent: string;
  set(attributes: Attributes): void;
  rename(name: string): void;
  /** It went wrong; the log and the run say how. */
  fail(): void;
  /** That it puts something into a queue, for whoever takes it to go on from. */
  put(name: string, attributes: Attributes): Span;
  end(): void;
}

export interface Tracing {
  /** A request that came in. `traceparent`, if it is one, is its header: the trace that it continues. */
  request(name: string, traceparent: unknown, attributes: Attributes): Span;
  /** An attempt of a run. `traceparent`, if there is one, is of whoever put it into the queue. */
  attempt(traceparent: string | null, attributes: Attributes): Span;
  /** Sends what there is, which takes no longer than OTEL_EXPORTER_OTLP_TIMEOUT. */
  stop(): Promise<void>;
}
