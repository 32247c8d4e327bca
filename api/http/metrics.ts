/**
 * The Prometheus metrics of `GET /metrics`.
 *
 * @module
 */
import { Counter, Gauge, Histogram, Registry } from "prom-client";

/** The metrics of one application, in a separate registry. */
export interface ApiMetrics {
  readonly registry: Registry;
  readonly requests: Counter<"method" | "route" | "status">;
  readonly durations: Histogram<"method" | "route">;
  readonly jobs: Gauge<"status">;
  readonly queueDepth: Gauge;
  readonly streams: Gauge;
  readonly databaseUp: Gauge;
}

/** Creates metrics with the value 0. */
export function createMetrics(): ApiMetrics {
  const registry = new Registry();
  const registers = [registry];
  return {
    registry,
    requests: new Counter({
      name: "unmask_http_requests_total",
      help: "Number of completed requests",
      labelNames: ["method", "route", "status"],
      registers,
    }),
    durations: new Histogram({
      name: "unmask_http_request_duration_seconds",
      help: "Time from the arrival of a request to the head of its response",
      labelNames: ["method", "route"],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
      registers,
    }),
    jobs: new Gauge({
      name: "unmask_jobs",
      help: "Number of stored jobs",
      labelNames: ["status"],
      registers,
    }),
    queueDepth: new Gauge({ name: "unmask_queue_depth", help: "Number of queued jobs", registers }),
    databaseUp: new Gauge({
      name: "unmask_database_up",
      help: "1 if the database responded to this scrape, else 0; job counts are NaN while it is 0",
      registers,
    }),
    streams: new Gauge({ name: "unmask_event_streams", help: "Number of open event streams", registers }),
  };
}
