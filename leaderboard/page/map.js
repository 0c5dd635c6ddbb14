// Maps of clips: drawn when they come into view, read by pointer or by keyboard, played by click or Enter.

const REACH = 16; // how far from a clip the pointer may be, in CSS pixels
const PADDING = 14;
const FADED = 0.22;
const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

class ClipMap {
  constructor(figure) {
    this.figure = figure;
    this.data = JSON.parse(figure.querySelector("script").textContent);
    this.canvas = figure.querySelector("canvas");
    this.context = this.canvas.getContext("2d");
    this.ring = figure.querySelector(".ring");
    this.readout = figure.querySelector(".readout");
    this.audio = figure.querySelector("audio");
    this.at = -1; // the clip under the cursor
    this.listen();
    this.choose();
    new ResizeObserver(() => this.draw()).observe(this.canvas);
  }

  listen() {
    const { canvas, figure, audio } = this;
    canvas.addEventListener("pointermove", (event) => this.hover(event));
    canvas.addEventListener("pointerleave", () => hideTip());
    canvas.addEventListener("click", (event) => this.hover(event) && this.play());
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("focus", () => canvas.matches(":focus-visible") && this.at < 0 && this.moveTo(this.middle()));
    figure.querySelector(".panel").addEventListener("change", () => this.choose());
    audio.addEventListener("error", () => this.say("its recording cannot be played"));
    addEventListener("themechange", () => this.draw());
    // Paper is light: both events come after the styles for it hold, and after they are gone.
    matchMedia("print").addEventListener("change", () => this.draw());
  }

  // ---- drawing ----

  /** Takes over what the panel says. */
  choose() {
    const { figure, data } = this;
    this.by = data[figure.querySelector("input[type=radio]:checked")?.value ?? "label"];
    this.highlighted = Number(figure.querySelector("select").value);
    this.marksWrong = figure.querySelector(".wrong")?.checked ?? false;
    this.draw();
  }

  isWrong(i) {
    const { label, predicted } = this.data;
    return predicted[i] >= 0 && predicted[i] !== label[i];
  }

  /** Whether a clip belongs to the highlighted class, or all do. */
  isShown(i) {
    return this.highlighted < 0 || this.by[i] === this.highlighted;
  }

  /** Puts every clip on the canvas, the map in its middle, as large as it fits. */
  place() {
    const { x, y } = this.data;
    const { width, height } = this.canvas.getBoundingClientRect();
    const [right, top] = [Math.max(...x, 0.001), Math.max(...y, 0.001)];
    const scale = Math.min((width - 2 * PADDING) / right, (height - 2 * PADDING) / top);
    this.px = x.map((value) => width / 2 + (value - right / 2) * scale);
    this.py = y.map((value) => height / 2 - (value - top / 2) * scale);
    const ratio = devicePixelRatio;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.radius = Math.max(1.8, Math.min(3.6, Math.sqrt((width * height) / x.length) / 5.5));
  }

  draw() {
    this.place();
    const layers = { faded: [], plain: [], crossed: [] };
    this.px.forEach((_, i) => {
      const wrong = this.marksWrong && this.isWrong(i);
      layers[!this.isShown(i) || (this.marksWrong && !wrong) ? "faded" : wrong ? "crossed" : "plain"].push(i);
    });
    this.context.globalAlpha = FADED;
    this.paint(layers.faded, (i) => this.dot(i), "fill", this.highlighted >= 0);
    this.context.globalAlpha = 0.9;
    this.paint(layers.plain, (i) => this.dot(i), "fill");
    this.context.globalAlpha = 1;
    this.context.lineWidth = 1.6;
    this.paint(layers.crossed, (i) => this.cross(i), "stroke");
    this.moveRing();
  }

  /** Draws clips class by class, one path each; in grey where a class is highlighted that is not theirs. */
  paint(clips, shape, finish, grey = false) {
    const { context, data, by } = this;
    const ink = getComputedStyle(this.canvas).color;
    for (const [index, members] of grouped(clips, (i) => by[i])) {
      context.beginPath();
      members.forEach(shape);
      context.fillStyle = context.strokeStyle = grey || index < 0 ? ink : data.colours[index];
      context[finish]();
    }
  }

  dot(i) {
    this.context.moveTo(this.px[i] + this.radius, this.py[i]);
    this.context.arc(this.px[i], this.py[i], this.radius, 0, 2 * Math.PI);
  }

  cross(i) {
    const [x, y, r] = [this.px[i], this.py[i], this.radius + 0.8];
    this.context.moveTo(x - r, y - r);
    this.context.lineTo(x + r, y + r);
    this.context.moveTo(x - r, y + r);
    this.context.lineTo(x + r, y - r);
  }

  // ---- the cursor ----

  /** The shown clip for which a cost is least; -1 where every cost is infinite. */
  least(cost) {
    let [best, found] = [Infinity, -1];
    for (let i = 0; i < this.px.length; i++) {
      const own = this.isShown(i) ? cost(i) : Infinity;
      if (own < best) [best, found] = [own, i];
    }
    return found;
  }

  nearest(x, y, within) {
    return this.least((i) => {
      const distance = Math.hypot(this.px[i] - x, this.py[i] - y);
      return distance <= within ? distance : Infinity;
    });
  }

  middle() {
    const { width, height } = this.canvas.getBoundingClientRect();
    return this.nearest(width / 2, height / 2, Infinity);
  }

  /** The nearest clip in the quarter of the plane that a direction points to. */
  towards([dx, dy]) {
    return this.least((i) => {
      const [x, y] = [this.px[i] - this.px[this.at], this.py[i] - this.py[this.at]];
      const along = x * dx + y * dy;
      const aside = Math.abs(x * dy - y * dx);
      return along > 0 && aside <= along ? along + aside : Infinity;
    });
  }

  hover(event) {
    const { left, top } = this.canvas.getBoundingClientRect();
    const found = this.nearest(event.clientX - left, event.clientY - top, REACH);
    this.canvas.style.cursor = found >= 0 && this.data.audio[found] ? "pointer" : "";
    if (found < 0) hideTip();
    else if (found !== this.at || tip.hidden) this.moveTo(found);
    return found >= 0;
  }

  moveTo(i) {
    if (i < 0) return;
    this.at = i;
    this.moveRing();
    this.say();
    showTip(this.facts(i), this.ring.getBoundingClientRect(), this.canvas);
  }

  moveRing() {
    this.ring.hidden = this.at < 0;
    if (this.at < 0) return;
    this.ring.style.left = `${this.px[this.at]}px`;
    this.ring.style.top = `${this.py[this.at]}px`;
  }

  facts(i) {
    const { classes, label, predicted, clip } = this.data;
    const verdict = this.isWrong(i) ? "wrong" : "right";
    const guess = predicted[i] < 0 ? "" : ` · predicted ${classes[predicted[i]]} (${verdict})`;
    return `${clip[i]} · ${classes[label[i]]}${guess}`;
  }

  /** Names the clip under the cursor in the live region, and what there is to add. */
  say(more = "") {
    this.readout.textContent = this.facts(this.at) + (more && ` · ${more}`);
  }

  key(event) {
    if (event.key in DIRECTIONS) this.moveTo(this.at < 0 ? this.middle() : this.towards(DIRECTIONS[event.key]));
    else if (event.key === "Enter" || event.key === " ") this.at >= 0 && this.play();
    else if (event.key === "Escape") this.audio.pause();
    else return;
    event.preventDefault();
  }

  play() {
    const url = this.data.audio[this.at];
    if (!url) return this.say("no recording here");
    for (const other of document.querySelectorAll("audio")) other.pause();
    this.audio.hidden = false;
    this.audio.src = url;
    this.say("playing");
    return this.audio.play().catch(() => {}); // the error event says what is wrong
  }
}

function grouped(items, key) {
  const found = new Map();
  for (const item of items) {
    if (!found.has(key(item))) found.set(key(item), []);
    found.get(key(item)).push(item);
  }
  return found;
}

function openMap(figure) {
  figure.clipMap ??= new ClipMap(figure);
}

const coming = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      coming.unobserve(target);
      openMap(target);
    }
  },
  { rootMargin: "300px" },
);
const maps = document.querySelectorAll("figure.map");
for (const figure of maps) coming.observe(figure);
addEventListener("beforeprint", () => {
  for (const figure of maps) {
    openMap(figure);
    figure.clipMap.draw();
  }
});
