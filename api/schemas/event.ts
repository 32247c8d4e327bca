/**
 * Events and loss series of a job in JSON.
 *
 * @module
 */
import { z } from "@hono/zod-openapi";
import { toWire } from "../../data/wire.ts";
import { EVENT_TYPES, type JobEvent } from "../../jobs/store/events/event.ts";
import { listSchema } from "./list.ts";

/** An event. */
const eventSchema = z.strictObject({
  seq: z.int().describe(
    "Increases with every event of the job. Numbers can be missing because only the latest 100 progress events and " +
      "200 checkpoint events are kept",
  ),
  type: z.enum(EVENT_TYPES),
  level: z.enum(["info", "warning", "error"]),
  message: z.string(),
  data: z.record(z.string(), z.unknown()),
  created_at: z.iso.datetime(),
}).openapi("Event");

/** A page of events. */
export const eventListSchema = listSchema(eventSchema, "EventList");

/** The stream of events. */
export const eventStreamSchema = z.string().openapi("EventStream", {
  description:
    "Server-sent events: `id` is the event's `seq`, `event` its `type`, `data` the `Event` as JSON. " +
    "The last event has the type `end`.",
});

/** An event in JSON. */
export type EventWire = z.output<typeof eventSchema>;

/** Returns an event in JSON. */
export function eventWire(event: JobEvent): EventWire {
  return toWire(event) as EventWire;
}

/** The loss series of a job. */
export const seriesSchema = z.strictObject({
  object: z.literal("metrics"),
  job: z.string(),
  every: z.int().describe("The series has the steps that are a multiple of it, and the newest step"),
  steps: z.array(
    z.strictObject({
      step: z.int().describe("Counts from 1"),
      epoch: z.int().describe("Counts from 0"),
      loss: z.number(),
      lr: z.number().describe("Learning rate"),
    }).openapi("LossOfStep"),
  ),
  epochs: z.array(
    z.strictObject({
      epoch: z.int(),
      step: z.int().describe("The epoch's last step"),
      loss: z.number().describe("Mean of the epoch's step losses"),
      metrics: z.record(z.string(), z.number()).describe("Other measurements, such as `accuracy`"),
    }).openapi("LossOfEpoch"),
  ),
  next: z.int().nullable().describe("Value of `after` for the next page; null on the last"),
}).openapi("Series");
