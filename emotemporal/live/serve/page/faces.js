// Who is in view, what is said of each, and what was said before.

/** The words for a judgement: a name, a note beside it, whether it is an answer. */
export function words(judgement, names) {
  if (!judgement || judgement.is_warm_up) return { name: "warming up", note: "", isSure: false };
  if (judgement.shown === null) return { name: "uncertain", note: "", isSure: false };
  const { name, index } = names.get(judgement.shown);
  if (judgement.is_uncertain) return { name, note: "uncertain", isSure: false };
  return { name, note: `${Math.round(100 * judgement.smoothed[index])} %`, isSure: true };
}

/** The words for a face, which may be out of sight, or too small to be judged. */
export function wordsOf(face, names) {
  if (face.away) return { name: face.away, note: "", isSure: false };
  if (face.is_usable === false) return { name: "too small", note: "", isSure: false };
  return words(face.latest, names);
}

export function colourOf(judgement, names) {
  if (!judgement || judgement.is_warm_up || judgement.shown === null) return null;
  return names.get(judgement.shown).colour;
}

/** A running camera's faces; those out of view are forgotten. */
export class LiveFaces {
  constructor(history_s) {
    this.history_s = history_s;
    this.byId = new Map();
    this.time_s = 0;
  }

  take(message) {
    this.time_s = message.time_s;
    const now = new Map();
    for (const { id, box, is_usable } of message.faces) {
      now.set(id, { id, box, is_usable, history: this.byId.get(id)?.history ?? [] });
    }
    for (const judgement of message.judgements) now.get(judgement.id)?.history.push(judgement);
    for (const { history } of now.values()) {
      while (history.length > 1 && history[1].time_s <= this.time_s - this.history_s) history.shift();
    }
    this.byId = now;
  }

  at() {
    return [...this.byId.values()].map((face) => ({ ...face, latest: face.is_usable ? face.history.at(-1) : null }));
  }

  /** From when to when a face's timeline goes. */
  span() {
    return [this.time_s - this.history_s, this.time_s];
  }
}

/** All that was said of a film, to be asked for any time of it. */
export class FilmFaces {
  constructor(duration_s) {
    this.duration_s = duration_s;
    this.byId = new Map();
    this.until_s = 0;
  }

  take(message) {
    this.until_s = Math.max(this.until_s, message.time_s);
    for (const judgement of message.judgements) {
      if (!this.byId.has(judgement.id)) this.byId.set(judgement.id, []);
      this.byId.get(judgement.id).push(judgement);
    }
  }

  at(time_s) {
    const faces = [];
    for (const [id, history] of this.byId) {
      const i = history.findLastIndex((judgement) => judgement.time_s <= time_s + 1e-3);
      // Three ticks of the model's clock without a word: the face has gone.
      if (i < 0 || time_s - history[i].time_s > 0.35) continue;
      faces.push({ id, box: between(history[i], history[i + 1], time_s), history, latest: history[i] });
    }
    return faces;
  }

  /** Everybody, also those out of view now. */
  all(time_s) {
    const here = new Map(this.at(time_s).map((face) => [face.id, face]));
    return [...this.byId].map(([id, history]) => here.get(id) ?? { id, history, latest: null, away: time_s > this.until_s ? "not judged yet" : "out of view" });
  }

  span() {
    return [0, Math.max(this.duration_s, 0.1)];
  }
}

function between(judgement, next, time_s) {
  if (!next || next.time_s - judgement.time_s > 0.35) return judgement.box;
  const share = (time_s - judgement.time_s) / (next.time_s - judgement.time_s);
  return judgement.box.map((edge, i) => edge + Math.min(Math.max(share, 0), 1) * (next.box[i] - edge));
}

/** Rows of the table as the server wrote them, for a file; kept in this page alone. */
export class Table {
  constructor() {
    this.parts = [];
    this.header = "";
    this.isFull = false;
  }

  add(rows) {
    if (!rows || this.isFull) return;
    this.parts.push(rows);
    this.isFull = this.parts.length > 400_000; // half a day of one face: more would fill a phone
  }

  get isEmpty() {
    return this.parts.length === 0;
  }

  save(name) {
    const url = URL.createObjectURL(new Blob([this.header, ...this.parts], { type: "text/csv" }));
    const link = document.createElement("a");
    link.href = url;
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  }
}
