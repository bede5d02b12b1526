// The way to the server: the token, requests, and the one WebSocket that a camera has.

const KEY = "emotemporal token";
let token = takeToken();

// Behind the #, the token reaches no server and no log; out of the address it reaches no shared link.
function takeToken() {
  const found = new URLSearchParams(location.hash.slice(1)).get("token");
  if (found) {
    sessionStorage.setItem(KEY, found);
    history.replaceState(null, "", location.pathname);
  }
  return found ?? sessionStorage.getItem(KEY);
}

export function setToken(word) {
  token = word;
  sessionStorage.setItem(KEY, word);
}

export function authorize() {
  return token ? { Authorization: `Bearer ${token}` } : {};
}

export async function askAbout() {
  const answer = await fetch("about", { headers: authorize() });
  if (answer.status === 401) return null;
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

/** A WebSocket with at most one frame under way: the next is sent when its answer has come. */
export class Line {
  constructor(hear) {
    this.hear = hear;
    this.isReady = false;
    this.isWaiting = false;
    this.refusal = null;
    const words = token ? ["emotemporal", `token.${token}`] : ["emotemporal"];
    const address = new URL("camera", location.href);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    this.socket = new WebSocket(address, words);
    this.socket.onmessage = (event) => this.take(JSON.parse(event.data));
    this.socket.onclose = (event) => this.hear({ type: "closed", code: event.code, refusal: this.refusal });
  }

  get isFree() {
    return this.isReady && !this.isWaiting && this.socket.readyState === WebSocket.OPEN;
  }

  take(message) {
    if (message.type === "ready") this.isReady = true;
    if (message.type === "faces" || message.type === "error") this.isWaiting = false;
    if (message.type === "refused") this.refusal = message.reason;
    this.hear(message);
  }

  sendFrame(time_s, jpeg) {
    this.isWaiting = true;
    const time = new DataView(new ArrayBuffer(8));
    time.setFloat64(0, time_s, true);
    this.socket.send(new Blob([time, jpeg]));
  }

  say(words) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(words));
  }

  close() {
    this.hear = () => {};
    this.socket.close(1000);
  }
}

/** Send a file; hear every line of the answer as it comes. Returns what cancels it. */
export function sendFile(file, { sent, hear, failed, done }) {
  const request = new XMLHttpRequest();
  let read = 0;
  const readLines = () => {
    const end = request.responseText.lastIndexOf("\n") + 1;
    const lines = request.responseText.slice(read, end);
    read = Math.max(read, end);
    for (const line of lines.split("\n")) if (line) hear(JSON.parse(line));
  };
  request.open("POST", `judge?name=${encodeURIComponent(file.name)}`);
  for (const [name, value] of Object.entries(authorize())) request.setRequestHeader(name, value);
  request.upload.onprogress = (event) => sent(event.loaded / event.total);
  request.onprogress = () => { if (request.status === 200) readLines(); };
  request.onload = () => {
    if (request.status !== 200) return failed(request.responseText || `refused (${request.status})`);
    readLines();
    done();
  };
  request.onerror = () => failed("the server did not take it; is it still running?");
  request.send(file);
  return () => request.abort();
}
