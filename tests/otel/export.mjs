// Sends four spans by OpenTelemetry's own JSON exporter; the third has a model's name that is too long.
import { SpanKind } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BasicTracerProvider, BatchSpanProcessor } from "@opentelemetry/sdk-trace-base";

const exporter = new OTLPTraceExporter({
  url: `${process.env.SERVER}/v1/traces`,
  headers: { Authorization: `Bearer ${process.env.KEY}` },
});
const provider = new BasicTracerProvider({
  resource: resourceFromAttributes({ "service.name": "typescript-orchestrator" }),
  spanProcessors: [new BatchSpanProcessor(exporter)],
});
const tracer = provider.getTracer("test");
for (const model of ["one", "two", "x".repeat(300), "four"]) {
  const span = tracer.startSpan("chat", { kind: SpanKind.CLIENT });
  span.setAttribute("gen_ai.operation.name", "chat");
  span.setAttribute("gen_ai.request.model", model);
  span.setAttribute("gen_ai.request.temperature", 0.5);
  span.setAttribute("feature_memory.parameter.steps", 50);
  span.end();
}
tracer.startSpan("GET /").end();
await provider.shutdown();
