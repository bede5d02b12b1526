// The faces beside the picture, for those who read and for those who listen.
import { colourOf, wordsOf } from "./faces.js";
import { fit, timeline } from "./draw.js";

export class FaceList {
  constructor(element, nobody) {
    this.element = element;
    this.nobody = nobody;
    this.names = new Map();
    this.rows = new Map();
  }

  /** Show faces; with `seek`, their timelines are of a whole film and lead to a time of it. */
  draw(faces, span, now_s = null, seek = null) {
    this.nobody.hidden = faces.length > 0;
    const here = new Set(faces.map((face) => face.id));
    for (const [id, row] of this.rows) if (!here.has(id)) { row.item.remove(); this.rows.delete(id); }
    for (const face of [...faces].sort((a, b) => a.id - b.id)) {
      if (!this.rows.has(face.id)) this.rows.set(face.id, this.add(face.id));
      this.fill(this.rows.get(face.id), face, span, now_s, seek);
    }
  }

  add(id) {
    const make = (tag, name, parent) => Object.assign(parent.appendChild(document.createElement(tag)), { className: name });
    const item = make("li", "face", this.element), head = make("div", "face-head", item);
    const row = { item, swatch: make("span", "swatch", head), name: make("span", "face-name", head) };
    row.who = make("span", "face-who", head);
    row.who.textContent = `face ${id + 1}`;
    row.note = make("span", "face-note", head);
    row.strip = make("canvas", "", item);
    row.strip.setAttribute("aria-hidden", "true");
    return row;
  }

  fill(row, face, span, now_s, seek) {
    const said = wordsOf(face, this.names);
    if (row.name.textContent !== said.name) row.name.textContent = said.name;
    if (row.note.textContent !== said.note) row.note.textContent = said.note;
    row.swatch.style.background = colourOf(face.latest, this.names) ?? "var(--track)";
    row.item.classList.toggle("unsure", !said.isSure);
    row.strip.className = seek ? "seeks" : "";
    row.strip.onclick = seek && ((event) => seek(span[0] + (event.offsetX / row.strip.clientWidth) * (span[1] - span[0])));
    const { context, width, height } = fit(row.strip);
    const track = getComputedStyle(row.strip).backgroundColor;
    timeline(context, face.history, span, this.names, { x: 0, y: 0, w: width, h: height }, track);
    if (now_s === null) return;
    const x = (width * (now_s - span[0])) / (span[1] - span[0]);
    for (const [half, colour] of [[3, track], [1.5, getComputedStyle(row.strip).color]]) {
      context.fillStyle = colour;
      context.fillRect(x - half, 0, 2 * half, height);
    }
  }
}

/** Says changes of the label in words, no more often than they can be listened to. */
export class Speaker {
  constructor(element) {
    this.element = element;
    this.names = new Map();
    this.last_ms = 0;
    this.last = "";
  }

  tell(faces) {
    const now_ms = performance.now();
    if (now_ms - this.last_ms < 3000) return;
    const told = faces.filter((face) => face.latest)
      .map((face) => `Face ${face.id + 1}: ${wordsOf(face, this.names).name.replace("*", "")}`).join(". ");
    if (told === this.last) return;
    this.last = told;
    this.last_ms = now_ms;
    this.say(told || "No face in view");
  }

  say(words) {
    this.element.textContent = words;
  }
}
