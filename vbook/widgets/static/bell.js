// A Gaussian on a plot that the reader takes by its top (the mean) or by a flank (the standard deviation).
import { normalLogDensity } from "./maths.js";
import { arrows, draggable, font } from "./ui.js";

const FLANK = Math.exp(-0.5); // the density at mean ± sd, as a share of that at the mean
export const peak = (sd) => 1 / (sd * Math.sqrt(2 * Math.PI));

/**
 * Pointer and keys on a surface: `bell()` gives {mean, sd, axes}, `move({mean} or {sd}, settled)` takes what was wished for. The
 * nearest handle is taken, and follows from where it is; left and right change the mean, up and down the standard deviation.
 */
export function draggableBell(on, bell, move, step) {
  let held = null;
  draggable(on, (x, y, phase) => {
    if (phase === "between") return;
    const { mean, sd, axes } = bell(), at = axes.fromX(x), high = peak(sd);
    if (phase === "down") {
      const handles = [[0, mean, high], [-1, mean - sd, FLANK * high], [1, mean + sd, FLANK * high]];
      const far = ([, z, height]) => Math.hypot(axes.x(z) - x, axes.y(height) - y);
      const [side, z] = handles.reduce((best, handle) => (far(handle) < far(best) ? handle : best));
      held = { side, off: at - z };
    }
    const z = at - held.off;
    move(held.side ? { sd: held.side * (z - mean) } : { mean: z }, phase === "up");
  });
  arrows(on, (dx, dy) => {
    const { mean, sd } = bell();
    move(dx ? { mean: mean + dx * step } : { sd: sd + dy * step }, true);
  });
}

/** The curve with its three handles, and its standard deviation as a line. */
export function drawBell(ctx, axes, { mean, sd }, colors, { px = 1, xs, area = true }) {
  const high = peak(sd), points = [];
  for (let i = 0; i <= 400; i++) {
    const z = xs[0] + i / 400 * (xs[1] - xs[0]);
    points.push([z, Math.exp(normalLogDensity(z, mean, sd))]);
  }
  axes.line(ctx, points, { color: colors.blue, width: 2.5, fill: area ? colors.blue : null });
  axes.line(ctx, [[mean, FLANK * high], [mean + sd, FLANK * high]], { color: colors.blue, width: 1, dash: [3, 3] });
  ctx.save();
  ctx.font = `italic ${font(13, px)}`;
  ctx.textAlign = "center";
  ctx.textBaseline = "bottom";
  ctx.fillStyle = colors.blue;
  if (axes.x(mean + sd) - axes.x(mean) > 18 * px) ctx.fillText("σ", (axes.x(mean) + axes.x(mean + sd)) / 2, axes.y(FLANK * high) - 2);
  for (const [z, height, radius] of [[mean - sd, FLANK * high, 5], [mean + sd, FLANK * high, 5], [mean, high, 7]]) {
    if (z < xs[0] || z > xs[1]) continue;
    ctx.beginPath();
    ctx.arc(axes.x(z), axes.y(height), radius * Math.sqrt(px), 0, 2 * Math.PI);
    ctx.fillStyle = colors.paper;
    ctx.fill();
    ctx.lineWidth = 2.5;
    ctx.strokeStyle = colors.blue;
    ctx.stroke();
  }
  ctx.restore();
}
