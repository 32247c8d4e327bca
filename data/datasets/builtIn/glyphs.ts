/**
 * The strokes of the ten digits, in several handwriting styles.
 *
 * @module
 */

/** Coordinates from -1 to 1 over the height of a digit. x points to the right and y downwards. */
export type Point = readonly [x: number, y: number];

/** Returns the points of an elliptical arc. Angles are in turns: 0 is to the right, 0.25 is below. */
function arc(cx: number, cy: number, rx: number, ry: number, from: number, to: number): Point[] {
  const steps = Math.max(4, Math.ceil(Math.abs(to - from) * 20));
  return Array.from({ length: steps + 1 }, (_, i) => {
    const angle = 2 * Math.PI * (from + (to - from) * i / steps);
    return [cx + rx * Math.cos(angle), cy + ry * Math.sin(angle)];
  });
}

/** Returns a polyline with intermediate points, so that a distortion can bend it. */
function line(...points: Point[]): Point[] {
  return points.slice(1).flatMap((end, i) => {
    const start = points[i];
    return Array.from({ length: 6 }, (_, k): Point => {
      const t = k / 5;
      return [start[0] + (end[0] - start[0]) * t, start[1] + (end[1] - start[1]) * t];
    });
  });
}

/** Returns the strokes of a style. @param vary returns random numbers in [0, 1) */
type Style = (vary: () => number) => Point[][];

/** The styles of each digit. */
const STYLES: readonly (readonly Style[])[] = [
  [
    (v) => [arc(0, 0, 0.5 + 0.2 * v(), 0.95, 0.7, 1.7 + 0.1 * v())],
    (v) => [arc(0, 0, 0.45 + 0.25 * v(), 0.9, 0.8, 1.75)],
  ],
  [
    (v) => [line([0.1 * v(), -1], [0, 1])],
    (v) => [line([-0.35 * (0.5 + v()), -0.6], [0.05, -1], [0.05, 1])],
    (v) => [line([-0.35, -0.6], [0.05, -1], [0.05, 0.95]), line([-0.4 - 0.1 * v(), 0.95], [0.5, 0.95])],
  ],
  [
    (
      v,
    ) => [[
      ...arc(0, -0.45, 0.55, 0.5, 0.55, 1.1),
      ...line([0.35, -0.1], [-0.6, 0.92], [0.65, 0.9 + 0.1 * v()]),
    ]],
    (v) => [[
      ...arc(0, -0.5, 0.5, 0.45, 0.55, 1.15),
      ...line([0.25, -0.05], [-0.35, 0.7]),
      ...arc(-0.35, 0.72, 0.22, 0.2, 0.75, -0.25),
      ...line([-0.3, 0.85], [0.7, 0.8 + 0.2 * v()]),
    ]],
  ],
  [
    (
      v,
    ) => [[
      ...arc(-0.05, -0.48, 0.5, 0.46, 0.6, 1.22),
      ...arc(-0.05, 0.45, 0.55 + 0.1 * v(), 0.5, 0.77, 1.42),
    ]],
    (v) => [[
      ...line([-0.5, -0.95], [0.5, -0.95], [-0.1, -0.2]),
      ...arc(-0.1, 0.38, 0.55 + 0.1 * v(), 0.57, 0.77, 1.4),
    ]],
  ],
  [
    (v) => [line([-0.15, -0.95], [-0.6, 0.2], [0.7, 0.15 + 0.1 * v()]), line([0.3, -0.45], [0.25, 1])],
    (v) => [line([0.25, 1], [0.25, -1], [-0.65, 0.3 + 0.2 * v()], [0.7, 0.3])],
    (
      v,
    ) => [
      [...line([-0.5, -0.9], [-0.5, -0.1]), ...arc(0, -0.12, 0.5, 0.25 + 0.1 * v(), 0.5, 0)],
      line([0.5, -0.95], [0.45, 1]),
    ],
  ],
  [
    (v) => [
      [...line([-0.4, -0.9], [-0.45, -0.1]), ...arc(-0.05, 0.4, 0.55 + 0.1 * v(), 0.55, 0.65, 1.4)],
      line([-0.4, -0.9], [0.55, -0.95]),
    ],
    (v) => [[
      ...line([0.55, -0.95], [-0.35, -0.9], [-0.45, -0.15]),
      ...arc(-0.05, 0.38, 0.5 + 0.15 * v(), 0.56, 0.62, 1.42),
    ]],
  ],
  [
    (v) => [[...arc(0.45, 0.3, 0.95, 1.25, 0.72, 0.5), ...arc(0, 0.42, 0.5, 0.5 + 0.06 * v(), 0.5, -0.5)]],
    (v) => [[...line([0.25, -0.98], [-0.35, 0.05]), ...arc(0, 0.45, 0.48, 0.45 + 0.06 * v(), 0.6, -0.45)]],
  ],
  [
    (v) => [line([-0.6, -0.9], [0.6, -0.92], [-0.1 - 0.2 * v(), 1])],
    (v) => [line([-0.6, -0.9], [0.6, -0.92], [-0.15 * v(), 1]), line([-0.3, 0.02], [0.5, 0])],
    (v) => [line([-0.6, -0.6], [-0.55, -0.9], [0.55, -0.9], [0.1 * v(), 0.1], [-0.1, 1])],
  ],
  [
    (v) => [arc(0, -0.5, 0.42 + 0.1 * v(), 0.45, 0.25, 1.25), arc(0, 0.48, 0.5 + 0.1 * v(), 0.5, 0.75, 1.75)],
    (v) => {
      const width = 0.45 + 0.15 * v();
      return [Array.from({ length: 33 }, (_, i): Point => {
        const t = 2 * Math.PI * i / 32;
        return [width * Math.sin(2 * t), -0.95 * Math.cos(t)];
      })];
    },
  ],
  [
    (v) => [[...arc(0, -0.42, 0.5, 0.48, 0, -1), ...line([0.5, -0.42], [0.4 + 0.1 * v(), 1])]],
    (
      v,
    ) => [[...arc(0, -0.42, 0.48, 0.45, -0.05, -1), ...arc(-0.45, -0.1, 0.95, 1.1, -0.05, 0.2 + 0.05 * v())]],
  ],
];

/**
 * Returns the strokes of a digit in a random style. Each stroke is a list of connected points.
 *
 * @param vary returns random numbers in [0, 1)
 */
export function drawGlyph(digit: number, vary: () => number): Point[][] {
  const styles = STYLES[digit];
  return styles[Math.floor(vary() * styles.length)](vary);
}
