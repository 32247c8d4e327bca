/**
 * Draws a loss series as an SVG image.
 *
 * @module
 */

/** One point of a loss series. */
export interface LossPoint {
  readonly step: number;
  readonly loss: number;
}

const WIDTH = 760, HEIGHT = 420, LEFT = 70, RIGHT = 20, TOP = 44, BOTTOM = 52;

/** Returns round numbers that divide a range into about `parts` parts. */
export function ticks(from: number, to: number, parts: number): number[] {
  const raw = (to - from) / parts || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= raw) ?? 10);
  const count = Math.floor(to / step + 1e-9) - Math.ceil(from / step - 1e-9) + 1;
  return Array.from({ length: Math.max(0, count) }, (_, i) => (Math.ceil(from / step - 1e-9) + i) * step);
}

/**
 * Draws the loss of every step as a line and the mean of each epoch as a dot.
 *
 * @returns an SVG document
 * @throws {RangeError} for a series without steps
 */
export function lossChart(title: string, steps: readonly LossPoint[], epochs: readonly LossPoint[]): string {
  if (steps.length === 0) throw new RangeError("Cannot draw a loss series without a step");
  const maxLoss = steps.reduce((max, { loss }) => Math.max(max, loss), 0) * 1.05 || 1;
  const first = steps[0].step, last = Math.max(steps.at(-1)!.step, first + 1);
  const x = (step: number) => (LEFT + (WIDTH - LEFT - RIGHT) * (step - first) / (last - first)).toFixed(1);
  const y = (loss: number) => (HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * loss / maxLoss).toFixed(1);
  const text = (content: string, attributes: string) =>
    `<text ${attributes}>${content.replace(/[<&>]/g, "")}</text>`;
  const label = (value: number) => String(Number(value.toPrecision(6)));
  const grid = [
    ...ticks(0, maxLoss, 6).map((loss) =>
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(loss)}" y2="${y(loss)}" stroke="#ddd"/>` +
      text(label(loss), `x="${LEFT - 8}" y="${y(loss)}" dy="4" text-anchor="end"`)
    ),
    ...ticks(first, last, 8).map((step) =>
      text(label(step), `x="${x(step)}" y="${HEIGHT - BOTTOM + 20}" text-anchor="middle"`)
    ),
  ];
  const path = steps.map(({ step, loss }, i) => `${i === 0 ? "M" : "L"}${x(step)} ${y(loss)}`).join(" ");
  const dots = epochs.map(({ step, loss }) =>
    `<circle cx="${x(step)}" cy="${y(loss)}" r="4" fill="#c2410c"/>`
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}"`,
    ` font-family="system-ui, sans-serif" font-size="12" fill="#333">`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    text(title, `x="${LEFT}" y="26" font-size="15"`),
    ...grid,
    `<path d="${path}" fill="none" stroke="#2563eb" stroke-width="1.5"/>`,
    ...dots,
    text(
      "step (dots: mean of each epoch)",
      `x="${(WIDTH + LEFT) / 2}" y="${HEIGHT - 12}" text-anchor="middle"`,
    ),
    text("loss", `x="16" y="${HEIGHT / 2}" transform="rotate(-90 16 ${HEIGHT / 2})" text-anchor="middle"`),
    "</svg>\n",
  ].join("\n");
}
