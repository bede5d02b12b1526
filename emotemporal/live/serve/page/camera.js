// The camera: asked for once the user has read what is done with it; frames leave one at a time.
import { Line } from "./talk.js";

const FRAME_WIDTH = 640, QUALITY = 0.82, FULL = 1013;

export class Camera {
  /** `hear` gets the server's answers; `end` the reason, when the camera can go on no longer. */
  constructor(video, hear, end) {
    this.video = video;
    this.hear = hear;
    this.end = end;
    this.canvas = document.createElement("canvas");
    this.facing = "user";
    this.isPaused = false;
    this.choice = null;
    this.sentAt = 0;
  }

  async start() {
    const wanted = { width: { ideal: 1280 }, height: { ideal: 720 }, facingMode: this.facing };
    this.stream = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false });
    performance.mark("permitted");
    const [track] = this.stream.getVideoTracks();
    track.onended = () => this.end("the camera was unplugged, or another program took it");
    this.isMirrored = track.getSettings().facingMode !== "environment";
    this.video.srcObject = this.stream;
    await this.video.play();
    this.isRunning = true;
    this.origin_ms = performance.now();
    this.next();
  }

  stop() {
    this.isRunning = false;
    clearTimeout(this.retry);
    this.line?.close();
    this.stream?.getTracks().forEach((track) => track.stop());
    this.video.srcObject = null;
  }

  choose(choice) {
    this.choice = choice;
    this.line?.say({ type: "smoothing", ...choice });
  }

  connect(attempt) {
    this.line = new Line((message) => {
      if (message.type === "closed") this.lost(message, this.line.isReady ? 0 : attempt);
      else {
        if (message.type === "ready" && this.choice) this.line.say({ type: "smoothing", ...this.choice });
        this.hear(message);
      }
    });
  }

  lost({ code, refusal }, attempt) {
    if (!this.isRunning) return;
    if (refusal && code !== 1001) return this.end(refusal, code === FULL);
    const wait_s = Math.min(8, 0.5 * 2 ** attempt);
    this.hear({ type: "lost", wait_s });
    this.retry = setTimeout(() => this.reconnect(attempt + 1), 1000 * wait_s);
  }

  // Out of sight a page has no pictures to send: it leaves its place to others until it is back.
  reconnect(attempt) {
    if (!this.isRunning) return;
    if (document.hidden) {
      document.addEventListener("visibilitychange", () => this.reconnect(attempt), { once: true });
      return;
    }
    this.origin_ms = performance.now();
    this.connect(attempt);
  }

  // With each new picture, where the browser tells of them; else with each one it draws.
  next() {
    if (!this.isRunning) return;
    const again = () => { this.offer(); this.next(); };
    if (this.video.requestVideoFrameCallback) this.video.requestVideoFrameCallback(again);
    else requestAnimationFrame(again);
  }

  offer() {
    const { videoWidth: width, videoHeight: height } = this.video;
    if (this.isPaused || this.isTaking || !this.line?.isFree || !width) return;
    const time_s = (performance.now() - this.origin_ms) / 1000;
    const scale = Math.min(1, FRAME_WIDTH / Math.max(width, height));
    this.canvas.width = Math.round(width * scale);
    this.canvas.height = Math.round(height * scale);
    this.canvas.getContext("2d").drawImage(this.video, 0, 0, this.canvas.width, this.canvas.height);
    this.isTaking = true;
    const line = this.line;
    this.canvas.toBlob((jpeg) => {
      this.isTaking = false;
      if (jpeg && line.isFree) line.sendFrame(time_s, jpeg);
    }, "image/jpeg", QUALITY);
  }

  get now_s() {
    return (performance.now() - this.origin_ms) / 1000;
  }
}
