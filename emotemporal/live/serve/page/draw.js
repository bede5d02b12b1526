// Faces drawn over the picture, in the language of the recorded overlay: corners, a plate, bars, a strip.
import { colourOf, wordsOf } from "./faces.js";

const PLATE = "rgba(18, 20, 24, 0.86)", TRACK = "#3e424a", INK = "#f5f6f8", FAINT = "#aab0ba";
const NUM_BARS = 3;
const MAX_GAP_S = 0.35; // three ticks of the model's clock

/** Fit a canvas to its place on the page; returns its context, in CSS pixels. */
export function fit(canvas) {
  const scale = Math.min(devicePixelRatio || 1, 2);
  const { clientWidth: width, clientHeight: height } = canvas;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

/** Where in its place a picture lies that keeps its shape. */
export function pictureArea(width, height, pictureWidth, pictureHeight) {
  const scale = Math.min(width / pictureWidth, height / pictureHeight);
  const w = pictureWidth * scale, h = pictureHeight * scale;
  return { x: (width - w) / 2, y: (height - h) / 2, w, h };
}

export class Overlay {
  constructor(canvas, names) {
    this.canvas = canvas;
    this.names = names;
    this.sides = new Map();
  }

  draw(faces, size, isMirrored, span) {
    const { context, width, height } = fit(this.canvas);
    if (!size.width) return;
    const picture = pictureArea(width, height, size.width, size.height);
    const unit = Math.max(12, Math.round(0.03 * Math.min(width, height)));
    const placed = faces
      .map((face) => ({ face, area: toArea(face.box, picture, isMirrored) }))
      .sort((a, b) => b.area.h - a.area.h || a.face.id - b.face.id); // the largest get the best places
    const taken = placed.map(({ area }) => area);
    for (const { face, area } of [...placed].reverse()) {
      corners(context, area, Math.max(2, unit / 6), colourOf(face.latest, this.names) ?? FAINT);
    }
    const sides = new Map();
    for (const item of placed) {
      item.place = this.place(context, item, width, height, unit, taken);
      sides.set(item.face.id, item.place.side);
      taken.push(item.place);
    }
    this.sides = sides;
    for (const { face, place } of placed.reverse()) this.put(context, face, place, unit, span);
  }

  place(context, { face, area }, width, height, unit, taken) {
    const options = [];
    const card = { w: 12 * unit, h: (1 + 1.25 + NUM_BARS * 1.15 + 0.7 + 0.45) * unit };
    if (face.latest && area.h > 0.5 * card.h) {
      for (const side of ["right", "left", "below", "above"]) options.push(beside(area, card, side, unit, width, height));
    }
    const { name, note } = wordsOf(face, this.names);
    context.font = font(unit);
    const tag = { w: context.measureText(`${name}  ${note}`).width + 3 * unit, h: 2.35 * unit, isTag: true };
    for (const side of ["above", "below", "inside"]) options.push(beside(area, tag, side, unit, width, height));
    const before = this.sides.get(face.id);
    options.sort((a, b) => !!a.isTag - !!b.isTag || (b.side === before) - (a.side === before));
    const isFree = (place) => isInside(place, width, height) && !taken.some((other) => other !== area && overlap(place, other));
    return options.find(isFree) ?? options.find((place) => place.side === "inside");
  }

  put(context, face, place, unit, span) {
    const pad = 0.5 * unit;
    const { name, note, isSure } = wordsOf(face, this.names);
    const colour = colourOf(face.latest, this.names) ?? FAINT;
    plate(context, place, 0.4 * unit);
    const x = place.x + pad, right = place.x + place.w - pad, y = place.y + (place.isTag ? 0.3 : 0.5) * unit;
    swatch(context, x, y + 0.22 * unit, 0.8 * unit, colour, isSure);
    context.textBaseline = "alphabetic";
    write(context, name, x + 1.2 * unit, y + unit, unit, isSure ? INK : FAINT);
    context.textAlign = "right";
    write(context, note, right, y + unit, Math.max(10, 0.82 * unit), FAINT);
    context.textAlign = "left";
    const strip = place.isTag ? 0.3 * unit : 0.45 * unit;
    const foot = place.y + place.h - (place.isTag ? 0.35 * unit : pad);
    if (!place.isTag) this.bars(context, face.latest, x, y + 1.6 * unit, right, unit);
    timeline(context, face.history, span, this.names, { x, y: foot - strip, w: right - x, h: strip }, TRACK);
  }

  bars(context, judgement, x, y, right, unit) {
    const rows = [...this.names.values()].filter((label) => !label.hidden)
      .map((label) => ({ label, share: judgement.smoothed[label.index] }))
      .sort((a, b) => b.share - a.share).slice(0, NUM_BARS);
    const left = x + 5.5 * unit, height = Math.max(4, 0.5 * unit);
    rows.forEach(({ label, share }, i) => {
      const top = y + 1.15 * unit * i;
      write(context, label.name, x, top + 0.85 * unit, Math.max(10, 0.82 * unit), judgement.is_warm_up ? FAINT : INK);
      pill(context, left, top + 0.32 * unit, right - left, height, TRACK);
      pill(context, left, top + 0.32 * unit, Math.max(height, (right - left) * share), height, judgement.is_warm_up ? FAINT : label.colour);
    });
  }
}

/** What was shown when, as colours from left to right; faded where it was uncertain. */
export function timeline(context, history, [from_s, to_s], names, { x, y, w, h }, track) {
  context.save();
  context.beginPath();
  context.roundRect(x, y, w, h, h / 2);
  context.clip();
  context.fillStyle = track;
  context.fillRect(x, y, w, h);
  const at = (time_s) => x + (w * (time_s - from_s)) / (to_s - from_s);
  for (const { colour, isFaded, start_s, end_s } of runs(history, to_s, names)) {
    context.globalAlpha = isFaded ? 0.42 : 1;
    context.fillStyle = colour;
    context.fillRect(at(start_s), y, Math.max(1, at(end_s) - at(start_s)), h);
  }
  context.restore();
}

/** Stretches of one colour: drawn one by one, judgements would show their seams. */
function runs(history, to_s, names) {
  const found = [];
  history.forEach((judgement, i) => {
    const colour = colourOf(judgement, names), isFaded = judgement.is_uncertain, start_s = judgement.time_s;
    // A face that has gone leaves a gap; one that is there goes on to the edge.
    const end_s = Math.min(history[i + 1]?.time_s ?? to_s, start_s + MAX_GAP_S);
    const last = found.at(-1);
    if (!colour) return;
    if (last && last.colour === colour && last.isFaded === isFaded && last.end_s === start_s) last.end_s = end_s;
    else found.push({ colour, isFaded, start_s, end_s });
  });
  return found;
}

function toArea([x1, y1, x2, y2], picture, isMirrored) {
  const left = isMirrored ? 1 - x2 : x1;
  return { x: picture.x + left * picture.w, y: picture.y + y1 * picture.h, w: (x2 - x1) * picture.w, h: (y2 - y1) * picture.h };
}

function beside(face, size, side, unit, width, height) {
  const gap = Math.max(3, unit / 2), edge = 4;
  const along = (start, length, whole) => Math.min(Math.max(start, edge), Math.max(edge, whole - length - edge));
  const x = along(face.x, size.w, width), y = along(face.y, size.h, height);
  const place = { ...size, side };
  if (side === "right") return { ...place, x: face.x + face.w + gap, y };
  if (side === "left") return { ...place, x: face.x - gap - size.w, y };
  if (side === "below") return { ...place, x, y: face.y + face.h + gap };
  if (side === "above") return { ...place, x, y: face.y - gap - size.h };
  return { ...place, x, y: along(face.y + face.h - size.h, size.h, height) };
}

const isInside = ({ x, y, w, h }, width, height) => x >= 0 && y >= 0 && x + w <= width && y + h <= height;
const overlap = (a, b) => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
const font = (size) => `500 ${size}px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif`;

function write(context, text, x, y, size, colour) {
  context.font = font(size);
  context.fillStyle = colour;
  context.fillText(text, x, y);
}

function plate(context, { x, y, w, h }, radius) {
  context.fillStyle = PLATE;
  context.beginPath();
  context.roundRect(x, y, w, h, radius);
  context.fill();
}

function pill(context, x, y, w, h, colour) {
  context.fillStyle = colour;
  context.beginPath();
  context.roundRect(x, y, w, h, h / 2);
  context.fill();
}

function swatch(context, x, y, side, colour, isSure) {
  pill(context, x, y, side, side, colour);
  if (!isSure) pill(context, x + side / 5, y + side / 5, 0.6 * side, 0.6 * side, TRACK); // a ring: nothing certain
}

function corners(context, { x, y, w, h }, thickness, colour) {
  const arm = Math.max(6, Math.min(w, h) / 5), radius = Math.max(3, arm / 3);
  context.lineCap = "round";
  for (const [width, ink] of [[thickness + 2, PLATE], [thickness, colour]]) {
    context.lineWidth = width;
    context.strokeStyle = ink;
    for (const [cx, cy, sx, sy] of [[x, y, 1, 1], [x + w, y, -1, 1], [x, y + h, 1, -1], [x + w, y + h, -1, -1]]) {
      context.beginPath();
      context.moveTo(cx + sx * arm, cy);
      context.arcTo(cx, cy, cx, cy + sy * arm, radius);
      context.lineTo(cx, cy + sy * arm);
      context.stroke();
    }
  }
}
