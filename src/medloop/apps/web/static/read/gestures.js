// Pointer, wheel and fingers on a canvas, as few deeds: act (down, move, up), scroll, enlarge,
// move, window. One pointer acts; the right button windows, the middle one or Shift moves; two
// fingers enlarge and move. A finger that has no tool goes through slices, and acts by a tap.

const WHEEL_PX = 60;
const SLICE_PX = 8; // that a finger goes from one slice to the next
const TAP_PX = 10; // that a finger may tremble

/**
 * Listen on a canvas. `deeds`: act(phase, point, event), scroll(steps), enlarge(by, point),
 * move(dx, dy), window(dx, dy), hover(point or null); points are CSS pixels of the canvas.
 * `deeds.isFree()` tells whether a finger goes through slices, for nothing is in hand.
 */
export function listen(canvas, deeds) {
  const pointers = new Map();
  let mode = null;
  let wheeled = 0;
  let touched = null;
  let dragged = { from: null, slices: 0 }; // by one finger: slices are null until it is no tap

  const pointOf = (event) => {
    const { left, top } = canvas.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  };
  const pair = () => {
    const [one, other] = [...pointers.values()];
    const middle = [(one[0] + other[0]) / 2, (one[1] + other[1]) / 2];
    return { middle, apart: Math.hypot(one[0] - other[0], one[1] - other[1]) };
  };

  canvas.addEventListener("pointerdown", (event) => {
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, pointOf(event));
    if (pointers.size === 2) {
      if (mode === "act") deeds.act("up", pointOf(event), event);
      mode = "fingers";
      touched = pair();
      return;
    }
    if (event.pointerType === "touch" && deeds.scroll && deeds.isFree?.()) {
      mode = "finger";
      dragged = { from: pointOf(event), slices: null };
      event.preventDefault();
      return;
    }
    const isRight = event.button === 2 && !deeds.takesRight?.();
    mode = event.button === 1 || (event.shiftKey && event.button === 0) ? "move" : isRight ? "window" : "act";
    if (mode === "act") deeds.act("down", pointOf(event), event);
    event.preventDefault();
  });
  canvas.addEventListener("pointermove", (event) => {
    const point = pointOf(event);
    const before = pointers.get(event.pointerId);
    if (!before) {
      deeds.hover(point);
      return;
    }
    pointers.set(event.pointerId, point);
    const [dx, dy] = [point[0] - before[0], point[1] - before[1]];
    if (mode === "fingers" && pointers.size === 2) {
      const now = pair();
      deeds.move(now.middle[0] - touched.middle[0], now.middle[1] - touched.middle[1]);
      if (touched.apart > 10) deeds.enlarge(now.apart / touched.apart, now.middle);
      touched = now;
    } else if (mode === "finger") {
      drag(point);
    } else if (mode === "act") {
      deeds.hover(point);
      deeds.act("move", point, event);
    } else if (mode === "move") deeds.move(dx, dy);
    else if (mode === "window") deeds.window(dx, dy);
  });
  const drag = (point) => {
    const away = point[1] - dragged.from[1];
    if (dragged.slices === null && Math.hypot(point[0] - dragged.from[0], away) < TAP_PX) return;
    const slices = Math.trunc(away / SLICE_PX);
    const steps = slices - (dragged.slices ?? 0);
    dragged.slices = slices;
    if (steps) deeds.scroll(steps);
  };
  const end = (event) => {
    if (!pointers.delete(event.pointerId)) return;
    const isTap = mode === "finger" && dragged.slices === null && event.type === "pointerup";
    if (isTap) deeds.act("down", pointOf(event), event);
    if (isTap || mode === "act") deeds.act("up", pointOf(event), event);
    if (!pointers.size) mode = null;
    else if (mode !== "fingers") mode = null;
  };
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", end);
  canvas.addEventListener("pointerleave", () => deeds.hover(null));
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      if (event.ctrlKey || !deeds.scroll) {
        deeds.enlarge(Math.exp(-event.deltaY / 300), pointOf(event));
        return;
      }
      wheeled += event.deltaMode === 1 ? event.deltaY * 20 : event.deltaY;
      const steps = Math.trunc(wheeled / WHEEL_PX) || Math.sign(event.deltaY) * (Math.abs(event.deltaY) >= 50);
      if (!steps) return;
      wheeled = 0;
      deeds.scroll(steps);
    },
    { passive: false },
  );
}
