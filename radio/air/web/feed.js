// The live feed: one WebSocket, opened again with growing pauses when it breaks.
export class Feed {
  constructor(onMessage) {
    this.onMessage = onMessage;
    this.socket = null;
    this.wait = 500;
    this.timer = 0;
  }

  open(path, tune) {
    this.close();
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const connect = () => {
      const socket = new WebSocket(`${scheme}//${location.host}${path}?tune=${tune}`);
      this.socket = socket;
      socket.onmessage = ({ data }) => {
        this.wait = 500;
        if (socket === this.socket) this.onMessage(JSON.parse(data));
      };
      socket.onclose = () => {
        if (socket !== this.socket) return;
        this.timer = setTimeout(connect, this.wait);
        this.wait = Math.min(this.wait * 2, 15000);
      };
    };
    connect();
  }

  close() {
    clearTimeout(this.timer);
    const socket = this.socket;
    this.socket = null;
    if (socket) socket.close();
  }
}

// What frame it is: what is heard while an <audio> plays, else the frame the station releases.
export class FrameClock {
  constructor(audio) {
    this.audio = audio;
    this.rate = 48000;
    this.reset();
  }

  reset() {
    this.live = null; // { frame, at }
    this.tuned = null;
  }

  release(frame) {
    const now = performance.now();
    const behind = this.live === null ? Infinity : frame - this.released(now);
    // Small jitter of the network is not time: only a real difference moves the clock.
    if (Math.abs(behind) > this.rate / 4) this.live = { frame, at: now };
  }

  released(now = performance.now()) {
    return this.live.frame + ((now - this.live.at) / 1000) * this.rate;
  }

  get frame() {
    if (this.tuned !== null && !this.audio.paused && this.audio.currentTime > 0)
      return this.tuned + this.audio.currentTime * this.rate;
    return this.live === null ? null : this.released();
  }
}
