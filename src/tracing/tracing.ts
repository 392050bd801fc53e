// What the product knows of traces. The OpenTelemetry SDK is loaded where they are on, and nowhere else.
import type { Logger } from 'pino';
import type { Settings } from '../env.ts';

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

export type TracingSettings = Pick<Settings, `OTEL_${string}` & keyof Settings>;

/** Null where traces are off. */
export async function startTracing(settings: TracingSettings, role: string, log: Logger): Promise<Tracing | null> {
  const url = urlOf(settings);
  if (url === null || settings.OTEL_SDK_DISABLED) return null;
  const { OpenTelemetry } = await import('./open-telemetry.ts');
  return new OpenTelemetry(url, settings, role, log);
}

/** As the standard has it: the path of traces is added to the endpoint of all signals, and not to one of their own. */
function urlOf({ OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT }: TracingSettings): string | null {
  if (OTEL_EXPORTER_OTLP_TRACES_ENDPOINT !== undefined) return OTEL_EXPORTER_OTLP_TRACES_ENDPOINT;
  if (OTEL_EXPORTER_OTLP_ENDPOINT === undefined) return null;
  return `${OTEL_EXPORTER_OTLP_ENDPOINT.replace(/\/$/, '')}/v1/traces`;
}
