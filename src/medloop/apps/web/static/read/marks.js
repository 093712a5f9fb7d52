// What is drawn over a picture: rings and boxes of findings, the crosshair, lengths that were
// measured. `at([column, row])` leads to the canvas; colors are read from the style sheet.

const HALO = "rgb(0 0 0 / 75%)";

/** Draw a path twice: a dark halo, then the color, so that it shows on black and on white. */
function stroke(context, color, width, path) {
  for (const [style, wide] of [[HALO, width + 2], [color, width]]) {
    context.strokeStyle = style;
    context.lineWidth = wide;
    context.beginPath();
    path();
    context.stroke();
  }
}

/** Say something beside a place. */
export function drawText(context, text, [x, y], color, align = "left") {
  context.font = "12px system-ui, sans-serif";
  context.textAlign = align;
  context.textBaseline = "middle";
  context.lineJoin = "round";
  context.strokeStyle = HALO;
  context.lineWidth = 3;
  context.strokeText(text, x, y);
  context.fillStyle = color;
  context.fillText(text, x, y);
}

/** A ring about a finding, which leaves the finding itself free; its key beside it. */
export function drawRing(context, [x, y], [rx, ry], label, color, isCurrent) {
  stroke(context, color, isCurrent ? 2 : 1.25, () => context.ellipse(x, y, rx, ry, 0, 0, 2 * Math.PI));
  drawText(context, label, [x + rx * 0.72 + 4, y - ry * 0.72 - 4], color);
}

export function drawBox(context, [x0, y0], [x1, y1], label, color, isCurrent) {
  stroke(context, color, isCurrent ? 2 : 1.25, () =>
    context.rect(Math.min(x0, x1), Math.min(y0, y1), Math.abs(x1 - x0), Math.abs(y1 - y0)),
  );
  drawText(context, label, [Math.min(x0, x1) + 2, Math.min(y0, y1) - 9], color);
}

/** Two lines that leave the place itself free. */
export function drawCross(context, [x, y], [width, height], color, free = 14) {
  context.strokeStyle = color;
  context.lineWidth = 1;
  context.beginPath();
  for (const [ax, ay, bx, by] of [
    [0, y, x - free, y],
    [x + free, y, width, y],
    [x, 0, x, y - free],
    [x, y + free, x, height],
  ]) {
    context.moveTo(ax, ay);
    context.lineTo(bx, by);
  }
  context.stroke();
}

/** A length between two places, told at its end. */
export function drawLength(context, from, to, text, color) {
  stroke(context, color, 1.5, () => {
    context.moveTo(...from);
    context.lineTo(...to);
  });
  for (const [x, y] of [from, to]) {
    stroke(context, color, 1.5, () => context.arc(x, y, 3, 0, 2 * Math.PI));
  }
  drawText(context, text, [to[0] + 8, to[1] - 10], color);
}

/** A mark of what belongs to an object, or does not. */
export function drawDot(context, [x, y], isOutside) {
  const color = isOutside ? "#ff6b5e" : "#7dff8a";
  stroke(context, color, 2, () => {
    context.moveTo(x - 4, y);
    context.lineTo(x + 4, y);
    if (isOutside) return;
    context.moveTo(x, y - 4);
    context.lineTo(x, y + 4);
  });
}

/** A circle as large as the brush. */
export function drawBrush(context, [x, y], [rx, ry], color) {
  stroke(context, color, 1, () => context.ellipse(x, y, Math.max(rx, 1), Math.max(ry, 1), 0, 0, 2 * Math.PI));
}

/** A scale bar of a round length, bottom left. */
export function drawScale(context, scale, height, color, unit = "mm") {
  const lengths = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];
  const length = lengths.find((each) => each * scale >= 40) ?? 1000;
  const [x, y] = [12, height - 14];
  stroke(context, color, 1.5, () => {
    context.moveTo(x, y - 4);
    context.lineTo(x, y);
    context.lineTo(x + length * scale, y);
    context.lineTo(x + length * scale, y - 4);
  });
  drawText(context, `${length} ${unit}`, [x + length * scale + 6, y - 2], color);
}
