"""Sends all three signals with OpenTelemetry's SDK for Python, and writes down what it sent. See scripts/foreign-sdk."""

import json
import os
import sys

from google.protobuf.json_format import MessageToDict
from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.metrics import Observation
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

if os.environ["OTEL_EXPORTER_OTLP_PROTOCOL"] == "grpc":
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
else:
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

ATTRIBUTES = {
    "text": "caf\u00e9 \U0001f600", "empty": "", "yes": True, "no": False, "zero": 0, "large": 2**62, "negative": -7,
    "half": 0.5, "tiny": 5e-324, "texts": ["a", ""], "numbers": [1, 2, 3], "halves": [0.5, 1.5], "flags": [True, False],
    "no number": float("nan"), "limits": [float("inf"), float("-inf")],
}


def noting(exporter_class, encode, file):
    """The exporter, which writes down each request before it sends it."""
    class Noting(exporter_class):
        def export(self, data, *arguments, **named):
            request = MessageToDict(encode(data), use_integers_for_enums=True)
            file.write(json.dumps(request) + "\n")
            return super().export(data, *arguments, **named)
    return Noting()


def send_traces(provider):
    tracer = provider.get_tracer("orders", "1.2.3", "https://example.test/schema", {"scope.key": "value"})
    with tracer.start_as_current_span("checkout", kind=SpanKind.SERVER, attributes=ATTRIBUTES) as parent:
        with tracer.start_as_current_span("charge", kind=SpanKind.CLIENT) as child:
            child.add_event("tried", {"attempt": 1})
            child.record_exception(ValueError("declined"))
            child.set_status(Status(StatusCode.ERROR, "declined"))
        link = Link(child.get_span_context(), {"reason": "follow-up"})
        tracer.start_span("notify", kind=SpanKind.PRODUCER, links=[link]).end()
        parent.set_status(Status(StatusCode.OK))


def send_metrics(provider, tracer):
    meter = provider.get_meter("orders", "1.2.3")
    # In a span, so that the histograms get exemplars.
    with tracer.start_as_current_span("measured"):
        meter.create_counter("orders.placed", "{order}", "Orders").add(3, {"tier": "gold"})
        meter.create_up_down_counter("orders.open").add(-2)
        meter.create_histogram("orders.duration", "s").record(0.25, {"route": "/cart"})
        meter.create_histogram("orders.size", "By").record(1000)
    meter.create_observable_gauge("orders.ratio", [lambda _: [Observation(0.5, ATTRIBUTES)]])


def send_logs(provider, tracer):
    logger = provider.get_logger("orders", "1.2.3")
    bodies = ["order placed", "", 7, 0.5, True, ["a", 1], {"nested": {"key": [1, "b"]}}, b"\x00\xff"]
    with tracer.start_as_current_span("logged"):
        for body in bodies:
            logger.emit(LogRecord(timestamp=1_700_000_000_000_000_000, severity_number=SeverityNumber.WARN,
                                  severity_text="WARN", body=body, attributes=ATTRIBUTES, event_name="order.placed"))


def main():
    resource = Resource({"service.name": "python", "service.version": "1.0"}, "https://example.test/resource")
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        traces = TracerProvider(resource=resource)
        traces.add_span_processor(SimpleSpanProcessor(noting(OTLPSpanExporter, encode_spans, file)))
        exponential = View(instrument_type=Histogram, instrument_name="orders.size",
                           aggregation=ExponentialBucketHistogramAggregation())
        reader = PeriodicExportingMetricReader(noting(OTLPMetricExporter, encode_metrics, file))
        metrics = MeterProvider([reader], resource, views=[exponential])
        logs = LoggerProvider(resource)
        logs.add_log_record_processor(SimpleLogRecordProcessor(noting(OTLPLogExporter, encode_logs, file)))
        trace.set_tracer_provider(traces)
        send_traces(traces)
        send_metrics(metrics, traces.get_tracer("orders"))
        send_logs(logs, traces.get_tracer("orders"))
        for provider in (traces, metrics, logs):
            provider.shutdown()


if __name__ == "__main__":
    main()
