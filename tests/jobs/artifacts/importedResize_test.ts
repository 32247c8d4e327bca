import { expect } from "expect";
import { importedResize } from "../../../jobs/artifacts/importedResize.ts";
import { imageProcessorConfig } from "../../../model/formats/preprocessor.ts";
import { planExport } from "../../../model/formats/planExport.ts";
import { completeConfig } from "../../../model/config.ts";

const config = completeConfig({ clsToken: true, layerNormEps: 1e-6 });

Deno.test("the resizing of an export is that of its import", () => {
  for (const resize of ["crop", "squash", "pad"] as const) {
    const request = { config, architecture: { model: "encoder" }, classNames: null, resize } as const;
    const timm = planExport({ ...request, format: "timm" }).configJson;
    const background = resize === "pad" ? { background: "#000000" } : {};
    expect(importedResize(null, timm)).toEqual({ mode: resize, ...background, notes: [] });
    // The image processors of transformers cannot pad, so they have no rule for it.
    const mode = resize === "pad" ? {} : { mode: resize };
    expect(importedResize(imageProcessorConfig(config, resize), null)).toEqual({ ...mode, notes: [] });
  }
});

Deno.test("a note has the share of an image that a library uses, if it is less than we use", () => {
  const square = { height: 224, width: 224 };
  const processors: [json: Record<string, unknown>, mode: string | undefined, percent: string][] = [
    [{ size: { shortest_edge: 256 }, do_center_crop: true, crop_size: square }, "crop", "88 %"],
    [{ size: 256, do_center_crop: true, crop_size: 224 }, "crop", "88 %"],
    [{ size: { height: 256, width: 256 }, do_center_crop: true, crop_size: square }, "squash", "88 %"],
    [{ size: { shortest_edge: 224 }, do_center_crop: true, crop_size: square }, "crop", ""],
    [{ size: { shortest_edge: 224 } }, "crop", ""],
    [{ size: square, do_center_crop: false, crop_size: 100 }, "squash", ""],
    [{ size: "224", do_resize: true }, undefined, ""],
  ];
  for (const [json, mode, percent] of processors) {
    const resize = importedResize(json, null);
    const notes = percent === "" ? [] : [expect.stringContaining(percent)];
    expect([json, resize.mode, resize.notes]).toEqual([json, mode, notes]);
  }
  const timm = {
    architecture: "vit_base_patch16_224",
    pretrained_cfg: { crop_pct: 0.9, crop_mode: "center" },
  };
  expect(importedResize(null, timm)).toEqual({ mode: "crop", notes: [expect.stringContaining("90 %")] });
  expect(importedResize(null, { architecture: "vit_base_patch16_224", crop_pct: 1 })).toEqual({ notes: [] });
  expect(importedResize(null, { num_heads: 3 })).toEqual({ notes: [] });
});

Deno.test("a note names the filter with which a library resizes, if it is not bicubic", () => {
  const size = { height: 224, width: 224 };
  const processors: [json: Record<string, unknown>, filter: string][] = [
    [{ size, resample: 2 }, "'bilinear'"],
    [{ size, resample: 1 }, "'lanczos'"],
    [{ size, resample: 3 }, ""],
    [{ size }, ""],
    [{ size, resample: 99 }, ""],
    [{ size, resample: null }, ""],
    [{ do_resize: false, resample: 2 }, ""],
  ];
  for (const [json, filter] of processors) {
    const notes = filter === "" ? [] : [expect.stringContaining(filter)];
    expect([json, importedResize(json, null).notes]).toEqual([json, notes]);
  }
  const timm = (interpolation: unknown) =>
    importedResize(null, { architecture: "vit_base_patch16_224", pretrained_cfg: { interpolation } }).notes;
  expect(timm("bilinear")).toEqual([expect.stringContaining("'bilinear'")]);
  for (const interpolation of ["bicubic", "random", "<b>", 3, undefined]) {
    expect(timm(interpolation)).toEqual([]);
  }
});

Deno.test("timm pads images with their mean colour", () => {
  const backgroundOf = (mean: unknown) => {
    const pretrained_cfg = { crop_mode: "border", mean };
    return importedResize(null, { architecture: "vit_base_patch16_224", pretrained_cfg }).background;
  };
  expect(backgroundOf([0.485, 0.456, 0.406])).toBe("#7c7468");
  expect(backgroundOf([0.5])).toBe("#808080");
  for (const mean of [undefined, [], ["0"], [2, 0, 0]]) expect(backgroundOf(mean)).toBe(undefined);
});
