/**
 * What Prometheus is told, `GET /metrics`.
 *
 * @module
 */
import { Counter, Gauge, Histogram, Registry } from "prom-client";

/** The API's measurements; a registry of their own, so that two apps in a process do not meet. */
export interface ApiMetrics {
  readonly registry: Registry;
  readonly requests: Counter<"method" | "route" | "status">;
  readonly durations: Histogram<"method" | "route">;
  readonly jobs: Gauge<"status">;
  readonly queueDepth: Gauge;
  readonly streams: Gauge;
  readonly databaseUp: Gauge;
}

/** Fresh measurements, all at zero. */
export function createMetrics(): ApiMetrics {
  const registry = new Registry();
  const registers = [registry];
  return {
    registry,
    requests: new Counter({
      name: "unmask_http_requests_total",
      help: "Requests answered",
      labelNames: ["method", "route", "status"],
      registers,
    }),
    durations: new Histogram({
      name: "unmask_http_request_duration_seconds",
      help: "Time from a request's arrival to the head of its answer",
      labelNames: ["method", "route"],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
      registers,
    }),
    jobs: new Gauge({ name: "unmask_jobs", help: "Jobs kept", labelNames: ["status"], registers }),
    queueDepth: new Gauge({ name: "unmask_queue_depth", help: "Jobs waiting for a runner", registers }),
    databaseUp: new Gauge({
      name: "unmask_database_up",
      help: "1 if the database answered this scrape, else 0; job counts are NaN while it is 0",
      registers,
    }),
    streams: new Gauge({ name: "unmask_event_streams", help: "Event streams open", registers }),
  };
}
