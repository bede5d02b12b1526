// A file of the user's: sent, judged, and played here with what was said of it.
import { FilmFaces, Table } from "./faces.js";
import { sendFile } from "./talk.js";

export class Film {
  constructor(file, video, still) {
    this.file = file;
    this.isStill = file.type.startsWith("image/");
    this.shown = this.isStill ? still : video;
    this.faces = new FilmFaces(0);
    this.table = new Table();
    this.url = URL.createObjectURL(file);
    this.size = { width: 0, height: 0 };
    this.isPlayable = true;
  }

  /** Judge it; `progress` gets words and a share, `end` the reason if it failed. */
  judge(progress, end) {
    let total = 1;
    this.cancel = sendFile(this.file, {
      sent: (share) => progress(share < 1 ? "Sending" : "Waiting for the first frame", 0.2 * share),
      hear: (message) => {
        if (message.type === "file") this.open(message);
        if (message.type === "faces") {
          this.faces.take(message);
          this.table.add(message.csv);
          progress(`Judging, frame ${message.done} of ${total}`, 0.2 + (0.8 * message.done) / total);
        }
        if (message.type === "file") total = message.num_frames;
        if (message.type === "failed") this.failure = message.reason;
      },
      failed: (reason) => end(reason),
      done: () => end(this.failure ?? null),
    });
  }

  open(message) {
    this.table.header = message.csv_header;
    this.faces.duration_s = message.duration_s;
    this.size = { width: message.width_px, height: message.height_px };
  }

  async show() {
    this.shown.hidden = false;
    this.shown.src = this.url;
    if (this.isStill) return;
    this.shown.loop = true;
    try {
      await this.shown.play();
    } catch (error) {
      this.isPlayable = error.name === "NotAllowedError";
    }
  }

  get now_s() {
    return this.isStill ? 0 : this.shown.currentTime;
  }

  close() {
    this.cancel?.();
    if (!this.isStill) {
      this.shown.pause();
      this.shown.loop = false;
    }
    this.shown.removeAttribute("src");
    if (!this.isStill) this.shown.load();
    this.shown.hidden = true;
    URL.revokeObjectURL(this.url);
  }
}
