/**
 * The module of a child process that probes vectors of 256 bits and sends the result.
 *
 * @module
 */
import { probeVectors, type VectorProbe } from "../../model/backends/simd/vectorProbe.ts";
import { connectToParentProcess } from "./entry.ts";

/** Time for the comparison of speeds, in milliseconds. */
const BUDGET_MS = 100;

const send = connectToParentProcess<never, VectorProbe>(() => {});
send(probeVectors(() => performance.now(), BUDGET_MS));
