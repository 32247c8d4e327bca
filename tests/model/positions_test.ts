import { expect } from "expect";
import { completeConfig } from "../../model/config.ts";
import {
  DECODER_TABLE,
  ENCODER_TABLE,
  gridPositions,
  positionTables,
  sinusoidalPositions,
  tablesOf,
} from "../../model/positions.ts";

Deno.test("positions are interleaved sines and cosines of decreasing frequency", () => {
  const table = sinusoidalPositions(5, 6);
  for (let position = 0; position < 5; position++) {
    for (let i = 0; i < 3; i++) {
      const angle = position / 10_000 ** (2 * i / 6);
      expect(table[position * 6 + 2 * i]).toBeCloseTo(Math.sin(angle), 6);
      expect(table[position * 6 + 2 * i + 1]).toBeCloseTo(Math.cos(angle), 6);
    }
  }
});

Deno.test("two-dimensional positions are sines and cosines of the column, then of the row", () => {
  const table = gridPositions(3, 8), patch = 5; // row 1, column 2
  const expected = [
    ...[Math.sin(2), Math.sin(2 / 100), Math.cos(2), Math.cos(2 / 100)],
    ...[Math.sin(1), Math.sin(1 / 100), Math.cos(1), Math.cos(1 / 100)],
  ];
  expect([...table.subarray(patch * 8, patch * 8 + 8)]).toEqual(expected.map(Math.fround));
  expect([...table.subarray(0, 8)]).toEqual([0, 0, 1, 1, 0, 0, 1, 1]);
});

Deno.test("the row of a class token is zero, before the rows of the patches", () => {
  for (const positions of ["sincos_1d", "sincos_2d"] as const) {
    const config = completeConfig({ imageSize: 12, positions }), { encoder } = positionTables(config);
    const withToken = positionTables({ ...config, clsToken: true });
    expect(withToken.encoder).toEqual(Float32Array.of(...new Float32Array(64), ...encoder));
    expect(withToken.decoder.length).toBe(10 * 32);
  }
});

Deno.test("stored positions are those of the file, and cannot be computed", () => {
  const config = completeConfig({
    imageSize: 8,
    embedDim: 2,
    decoderEmbedDim: 2,
    numHeads: 1,
    decoderNumHeads: 1,
    positions: "stored",
  });
  const encoder = Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  expect(tablesOf(config, new Map([[ENCODER_TABLE, { data: encoder }]]))).toEqual({
    encoder,
    decoder: new Float32Array(0),
  });
  const wrong = new Map([[ENCODER_TABLE, { data: encoder }], [DECODER_TABLE, { data: encoder.subarray(2) }]]);
  expect(() => tablesOf(config, wrong)).toThrow(/decoder_pos_embed.pe' have 6 values instead of 8/);
  expect(() => positionTables(config)).toThrow(/stored/);
});
