// Where a picture lies on a canvas: fitted, enlarged, moved. Lengths on the screen are CSS pixels;
// `cell` is how wide and high one pixel of the picture is in its own unit (mm, or pixels).

const MOST = 40;

export class Frame {
  constructor(columns, rows, cell) {
    this.columns = columns;
    this.rows = rows;
    this.cell = cell;
    this.zoom = 1;
    this.shift = [0, 0]; // of the picture's middle from the canvas' middle, CSS pixels
    this.room = [1, 1];
  }

  /** Say how large the canvas is. */
  resize(width, height) {
    this.room = [Math.max(width, 1), Math.max(height, 1)];
  }

  /** CSS pixels for one unit of the picture. */
  get scale() {
    const [width, height] = [this.columns * this.cell[0], this.rows * this.cell[1]];
    return this.zoom * Math.min(this.room[0] / width, this.room[1] / height);
  }

  /** Left, top, width and height of the picture on the canvas. */
  get place() {
    const width = this.columns * this.cell[0] * this.scale;
    const height = this.rows * this.cell[1] * this.scale;
    const left = (this.room[0] - width) / 2 + this.shift[0];
    return [left, (this.room[1] - height) / 2 + this.shift[1], width, height];
  }

  /** Where a pixel's center (fractions allowed) lies on the canvas. */
  toScreen([column, row]) {
    const [left, top] = this.place;
    const { scale, cell } = this;
    return [left + (column + 0.5) * cell[0] * scale, top + (row + 0.5) * cell[1] * scale];
  }

  /** Which pixel (with fraction) a place on the canvas is. */
  toPicture([x, y]) {
    const [left, top] = this.place;
    const { scale, cell } = this;
    return [(x - left) / (cell[0] * scale) - 0.5, (y - top) / (cell[1] * scale) - 0.5];
  }

  /** Enlarge about a place on the canvas, which stays where it is. */
  enlarge(by, [x, y]) {
    const zoom = Math.max(0.5, Math.min(MOST, this.zoom * by));
    const ratio = zoom / this.zoom;
    const from = [x - this.room[0] / 2, y - this.room[1] / 2];
    this.shift = this.shift.map((s, n) => from[n] - (from[n] - s) * ratio);
    this.zoom = zoom;
  }

  move(dx, dy) {
    this.shift = [this.shift[0] + dx, this.shift[1] + dy];
  }

  /** Bring a pixel to the middle of the canvas, where the picture is enlarged. */
  center(place) {
    if (this.zoom <= 1) return;
    const [x, y] = this.toScreen(place);
    this.move(this.room[0] / 2 - x, this.room[1] / 2 - y);
  }

  fit() {
    this.zoom = 1;
    this.shift = [0, 0];
  }
}
