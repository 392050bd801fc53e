// Traces by the OpenTelemetry SDK, sent as OTLP over HTTP. What the product knows of them is in tracing.ts.
import { hostname } from 'node:os';
import { type Context, ROOT_CONTEXT, SpanKind, SpanStatusCode, type Tracer, trace } from '@opentelemetry/api';
import { ExportResultCode, parseTraceParent } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { detectResources, resourceAttributesEnvDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, type SpanExporter, TracerProvider } from '@opentelemetry/sdk-trace';
import type { Logger } from 'pino';
import manifest from '../../package.json' with { type: 'json' };
import { FailureLog } from '../lib/failure-log.ts';
import { samplerOf } from './sampler.ts';
import type { Attributes, Span, Tracing } from './tracing.ts';
import type { TracingSettings } from './tracing-settings.ts';

type ApiSpan = ReturnType<Tracer['startSpan']>;

/** The composition root starts it first and stops it last. */
export class OpenTelemetry implements Tracing {
  readonly #provider: TracerProvider;
  readonly #tracer: Tracer;

  constructor(url: string, settings: TracingSettings, role: string, log: Logger) {
    const timeoutMillis = settings.OTEL_EXPORTER_OTLP_TIMEOUT;
    // Certificates, compression and headers, which may be secret, it reads from the environment by itself.
    const exporter = watched(new OTLPTraceExporter({ url, timeoutMillis }), new FailureLog('send traces', log));
    const own = resourceFromAttributes({
      'service.name': settings.OTEL_SERVICE_NAME,
      'service.version': manifest.version,
      'service.instance.id': `${hostname()}:${process.pid}`,
      'slotkeeper.role': role,
    });
    this.#provider = new TracerProvider({
      resource: own.merge(detectResources({ detectors: [resourceAttributesEnvDetector] })),
      sampler: samplerOf(settings),
      // Beyond its bound it drops spans: no trace may hold up what it tells of, nor fill the memory.
      spanProcessors: [
        new BatchSpanProcessor({
          exporter,
          exportTimeoutMillis: timeoutMillis,
          scheduledDelayMillis: settings.OTEL_BSP_SCHEDULE_DELAY,
        }),
      ],
    });
    this.#tracer = this.#provider.getTracer('slotkeeper', manifest.version);
  }

  request(name: string, traceparent: unknown, attributes: Attributes): Span {
    const parent = contextOf(typeof traceparent === 'string' ? traceparent : null);
    return start(this.#tracer, parent, name, SpanKind.SERVER, attributes);
  }

  attempt(traceparent: string | null, attributes: Attributes): Span {
    return start(this.#tracer, contextOf(traceparent), 'run attempt', SpanKind.CONSUMER, attributes);
  }

  async stop(): Promise<void> {
    // What cannot be sent is in the log already.
    await this.#provider.shutdown().catch(() => undefined);
  }
}

/** No parent for what is no traceparent. */
function contextOf(traceparent: string | null): Context {
  const parent = traceparent === null ? null : parseTraceParent(traceparent);
  return parent === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, { ...parent, isRemote: true });
}

function start(tracer: Tracer, parent: Context, name: string, kind: SpanKind, attributes: Attributes): Span {
  const span = tracer.startSpan(name, { kind, attributes }, parent);
  return {
    traceId: span.spanContext().traceId,
    traceparent: traceparentOf(span),
    set: (more) => void span.setAttributes(more),
    rename: (to) => void span.updateName(to),
    fail: () => void span.setStatus({ code: SpanStatusCode.ERROR }),
    put: (what, its) => start(tracer, trace.setSpan(parent, span), what, SpanKind.PRODUCER, its),
    end: () => span.end(),
  };
}

function traceparentOf(span: ApiSpan): string {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
}

/** Tells the log of what cannot be sent. */
function watched(exporter: SpanExporter, failures: FailureLog): SpanExporter {
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        if (result.code === ExportResultCode.SUCCESS) failures.worked();
        else failures.failed(new Error(result.error?.message ?? 'no reason is known'));
        done(result);
      }),
    forceFlush: async () => exporter.forceFlush?.(),
    shutdown: () => exporter.shutdown(),
  };
}
