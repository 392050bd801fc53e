// The OpenTelemetry SDK is loaded where traces are on, and nowhere else.
import type { Logger } from 'pino';
import type { Tracing } from './tracing.ts';
import type { TracingSettings } from './tracing-settings.ts';

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
