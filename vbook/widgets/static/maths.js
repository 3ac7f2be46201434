// Functions of the standard normal, and random numbers from a seed.

/** Φ(x), to 1e-12: a series near 0, a continued fraction in the tails. */
export function normalCdf(x) {
  const a = Math.abs(x);
  if (a > 38) return x > 0 ? 1 : 0;
  const density = Math.exp(-0.5 * a * a) / Math.sqrt(2 * Math.PI);
  if (a < 5) { // Φ(x) = ½ + φ(x) (x + x³/3 + x⁵/15 + …)
    let term = a, sum = a;
    for (let k = 3; term > 1e-17 * sum; k += 2) sum += term *= a * a / k;
    return x > 0 ? 0.5 + density * sum : 0.5 - density * sum;
  }
  let fraction = 0;
  for (let k = 60; k > 0; k--) fraction = k / (a + fraction);
  const tail = density / (a + fraction);
  return x > 0 ? 1 - tail : tail;
}

/** Φ⁻¹(u) for u in (0, 1): halving on Φ, then Newton's steps. */
export function normalQuantile(u) {
  if (!(u > 0 && u < 1)) return u <= 0 ? -Infinity : Infinity;
  let low = -39, high = 39;
  for (let i = 0; i < 20; i++) { const middle = (low + high) / 2; if (normalCdf(middle) < u) low = middle; else high = middle; }
  let x = (low + high) / 2;
  for (let i = 0; i < 4; i++) x = Math.min(high, Math.max(low, x - (normalCdf(x) - u) / (Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI))));
  return x;
}

/** log N(x; mean, sd²). */
export const normalLogDensity = (x, mean = 0, sd = 1) => -0.5 * Math.log(2 * Math.PI) - Math.log(sd) - 0.5 * ((x - mean) / sd) ** 2;

/** A generator of uniforms in (0, 1) from a whole number (mulberry32), with `.normal()`. */
export function randomFrom(seed) {
  let state = seed >>> 0, spare = null;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ state >>> 15, state | 1);
    t = (t + Math.imul(t ^ t >>> 7, t | 61)) ^ t;
    return (((t ^ t >>> 14) >>> 0) + 0.5) / 4294967296;
  };
  return Object.assign(uniform, {
    normal() {
      if (spare !== null) { const kept = spare; spare = null; return kept; }
      const radius = Math.sqrt(-2 * Math.log(uniform())), angle = 2 * Math.PI * uniform();
      spare = radius * Math.sin(angle);
      return radius * Math.cos(angle);
    },
  });
}
