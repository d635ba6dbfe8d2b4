// The piano roll: paper that runs under a brass bar. Notes are drawn where the frame clock says they sound.
const LANES = [
  ["#b93a22", "#ef7355"], ["#20657c", "#5fb4cf"], ["#7a5a10", "#dcae4c"], ["#4d6b2c", "#9dc26c"],
  ["#6d3f77", "#c58fd0"], ["#8a4a1f", "#e09a63"], ["#2c5f57", "#6fc0b2"], ["#7d2f4c", "#e1809f"],
];
const BEHIND = 3.2; // seconds of paper left of the bar
const AHEAD = 5.2;
const KEPT = 30; // seconds of notes kept behind the bar

export class Roll {
  constructor(canvas, clock) {
    this.canvas = canvas;
    this.clock = clock;
    this.dark = matchMedia("(prefers-color-scheme: dark)");
    this.clear();
    new ResizeObserver(() => this.resize()).observe(canvas);
    this.resize();
    const draw = () => {
      requestAnimationFrame(draw);
      if (!document.hidden) this.draw();
    };
    draw();
  }

  clear() {
    this.notes = [];
    this.bars = [];
    this.lanes = new Map();
    this.low = 48;
    this.high = 76;
  }

  resize() {
    const scale = devicePixelRatio || 1;
    this.width = this.canvas.clientWidth;
    this.height = this.canvas.clientHeight;
    this.canvas.width = Math.round(this.width * scale);
    this.canvas.height = Math.round(this.height * scale);
    this.canvas.getContext("2d").setTransform(scale, 0, 0, scale, 0, 0);
  }

  add(event) {
    if (event.event === "note") {
      this.notes.push(event);
      if (!this.lanes.has(event.program)) this.lanes.set(event.program, this.lanes.size % LANES.length);
    } else if (event.event === "bar") {
      this.bars.push(event);
    }
  }

  forget(frame) {
    const before = frame - KEPT * this.clock.rate;
    if (this.notes.length && this.notes[0].at < before) this.notes = this.notes.filter((n) => n.at + n.frames > before);
    if (this.bars.length && this.bars[0].at < before) this.bars = this.bars.filter((b) => b.at > before);
  }

  // The bar that is sounding at a frame.
  barAt(frame) {
    let found = null;
    for (const bar of this.bars) if (bar.at <= frame && (!found || bar.at >= found.at)) found = bar;
    return found;
  }

  draw() {
    const paper = this.canvas.getContext("2d");
    const { width, height } = this;
    paper.clearRect(0, 0, width, height);
    const frame = this.clock.frame;
    this.drawLines(paper);
    if (frame === null) return;
    this.forget(frame);
    const rate = this.clock.rate;
    const span = width < 560 ? 0.62 : 1;
    const per = width / ((BEHIND + AHEAD) * span * rate);
    const now = width * (BEHIND / (BEHIND + AHEAD));
    const x = (at) => now + (at - frame) * per;
    const shown = this.notes.filter((n) => x(n.at) < width && x(n.at + n.frames) > 0);
    this.fit(shown);
    const drums = shown.some((n) => n.program === 128) ? 40 : 14;
    const y = (pitch) => height - drums - 14 - ((pitch - this.low) / (this.high - this.low)) * (height - drums - 44);
    this.drawBars(paper, x);
    const thick = Math.max(4, Math.min(11, (height - drums - 44) / (this.high - this.low + 1) - 1));
    for (const note of shown) this.drawNote(paper, note, frame, x, y, thick, per);
    paper.fillStyle = this.style("--brass");
    paper.fillRect(now - 1, 0, 2, height);
  }

  // Keeps the pitches that are shown in view, moving gently.
  fit(shown) {
    const pitches = shown.filter((n) => n.program !== 128).map((n) => n.pitch);
    if (!pitches.length) return;
    const low = Math.min(...pitches) - 2;
    const high = Math.max(Math.max(...pitches) + 2, low + 24);
    this.low += (low - this.low) * 0.04;
    this.high += (high - this.high) * 0.04;
  }

  drawNote(paper, note, frame, x, y, thick, per) {
    const colour = LANES[this.lanes.get(note.program)][this.dark.matches ? 1 : 0];
    const sounding = note.at <= frame && frame < note.at + note.frames;
    paper.fillStyle = colour;
    paper.globalAlpha = sounding ? 1 : (note.at > frame ? 0.55 : 0.34) + (note.velocity / 127) * 0.3;
    if (note.program === 128) {
      const size = 2 + (note.velocity / 127) * 4 + (sounding ? 1.5 : 0);
      const row = this.height - 12 - (note.pitch % 6) * 5;
      paper.beginPath();
      paper.moveTo(x(note.at), row - size);
      paper.lineTo(x(note.at) + size, row);
      paper.lineTo(x(note.at), row + size);
      paper.lineTo(x(note.at) - size, row);
      paper.fill();
    } else {
      const long = Math.max(note.frames * per - 1.5, 3);
      paper.beginPath();
      paper.roundRect(x(note.at), y(note.pitch) - thick / 2, long, thick, thick / 2);
      paper.fill();
      if (sounding) {
        paper.globalAlpha = 0.22;
        paper.beginPath();
        paper.roundRect(x(note.at) - 4, y(note.pitch) - thick / 2 - 4, long + 8, thick + 8, thick);
        paper.fill();
      }
    }
    paper.globalAlpha = 1;
  }

  drawBars(paper, x) {
    paper.font = "italic 13px " + this.style("--serif");
    let section = "";
    for (const bar of [...this.bars].sort((a, b) => a.at - b.at)) {
      const at = Math.round(x(bar.at)) + 0.5;
      const fresh = bar.section !== section || bar.number === 1;
      section = bar.section;
      if (at < -20 || at > this.width) continue;
      paper.fillStyle = this.style("--line");
      paper.fillRect(at, 0, 1, this.height);
      paper.fillStyle = fresh ? this.style("--red") : this.style("--soft");
      paper.fillText(fresh ? `${bar.section}` : `${bar.number}`, at + 6, 18);
    }
  }

  drawLines(paper) {
    paper.fillStyle = this.style("--line");
    paper.globalAlpha = 0.45;
    for (let row = 1; row < 8; row++) paper.fillRect(0, Math.round((this.height * row) / 8), this.width, 1);
    paper.globalAlpha = 1;
  }

  style(name) {
    const key = name + this.dark.matches;
    this.styles ??= new Map();
    if (!this.styles.has(key)) this.styles.set(key, getComputedStyle(document.documentElement).getPropertyValue(name).trim());
    return this.styles.get(key);
  }
}
