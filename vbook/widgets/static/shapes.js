// Posteriors of two latents on a grid, the Gaussians nearest to them, and the optimum of free bits.

// Every model here has x = b·z + zᵀA z + s ε and p(z) = N(0, I); A = [[a, c], [c, d]] as [a, c, d].
export const SHAPE_MODELS = {
  sum: { b: [1, 1], A: [0, 0, 0], text: "a sum", formula: "x = z₁ + z₂ + s ε" },
  product: { b: [0, 0], A: [0, 0.5, 0], text: "a product", formula: "x = z₁ z₂ + s ε" },
  ring: { b: [0, 0], A: [1, 0, 1], text: "a ring", formula: "x = z₁² + z₂² + s ε" },
};
const HALF_LOG_2PI = 0.5 * Math.log(2 * Math.PI);

/** log p(x, z). */
export function logJoint({ b, A }, x, s, z1, z2) {
  const rest = x - (b[0] * z1 + b[1] * z2 + A[0] * z1 * z1 + 2 * A[1] * z1 * z2 + A[2] * z2 * z2);
  return -3 * HALF_LOG_2PI - Math.log(s) - 0.5 * (rest / s) ** 2 - 0.5 * (z1 * z1 + z2 * z2);
}

/** The posterior on a square grid of n by n points over [−reach, reach]²: log p(x) by the sum, and the densities p(z|x). */
export function gridPosterior(model, x, s, n = 241, reach = 5) {
  const h = 2 * reach / (n - 1), density = new Float64Array(n * n);
  let most = -Infinity, sum = 0;
  for (let j = 0; j < n; j++) for (let i = 0; i < n; i++) most = Math.max(most, density[j * n + i] = logJoint(model, x, s, i * h - reach, j * h - reach));
  for (let k = 0; k < n * n; k++) sum += density[k] = Math.exp(density[k] - most);
  const mass = sum * h * h;
  for (let k = 0; k < n * n; k++) density[k] /= mass;
  return { n, reach, h, density, logPx: Math.log(mass) + most };
}

/** Densities above which the given shares of the mass lie. */
export function massLevels({ density, h }, shares) {
  const faint = 1e-3 * density.reduce((a, p) => Math.max(a, p), 0), sorted = density.filter((p) => p > faint).sort(), found = [];
  for (const share of [...shares].sort((p, q) => p - q)) {
    let k = sorted.length, mass = 0;
    while (k > 0 && mass < share) mass += sorted[--k] * h * h;
    found.push(sorted[k]);
  }
  return found;
}

/**
 * The ELBO (2.10) of q = N(μ, L Lᵀ), p = [μ₁, μ₂, log L₁₁, log L₂₂, L₂₁], in closed form (x given z is a Gaussian around a
 * quadratic), and its slopes. With f = b·z + zᵀA z: E f = b·μ + μᵀAμ + tr AΣ, Var f = gᵀΣg + 2 tr AΣAΣ, g = b + 2Aμ.
 */
export function gaussianElbo({ b, A }, x, s, [m1, m2, l1, l2, lower = 0]) {
  const d1 = Math.exp(l1), d2 = Math.exp(l2), S = [d1 * d1, d1 * lower, lower * lower + d2 * d2]; // Σ (2.52), (2.54)
  const by = (M, v) => [M[0] * v[0] + M[1] * v[1], M[1] * v[0] + M[2] * v[1]], Am = by(A, [m1, m2]);
  const g = [b[0] + 2 * Am[0], b[1] + 2 * Am[1]], Sg = by(S, g), ASg = by(A, Sg);
  const B = [A[0] * S[0] + A[1] * S[1], A[0] * S[1] + A[1] * S[2], A[1] * S[0] + A[2] * S[1], A[1] * S[1] + A[2] * S[2]]; // AΣ
  const e = x - (b[0] * m1 + b[1] * m2 + m1 * Am[0] + m2 * Am[1] + B[0] + B[3]);
  const spread = g[0] * Sg[0] + g[1] * Sg[1] + 2 * (B[0] * B[0] + 2 * B[1] * B[2] + B[3] * B[3]);
  const value = -HALF_LOG_2PI - Math.log(s) - (e * e + spread) / (2 * s * s) - 0.5 * (m1 * m1 + m2 * m2 + S[0] + S[2] - 2) + l1 + l2;
  const r = 1 / (s * s), BA = [B[0] * A[0] + B[1] * A[1], B[0] * A[1] + B[1] * A[2], B[2] * A[1] + B[3] * A[2]]; // AΣA
  const G = [0, 1, 2].map((k) => -0.5 * ((k === 1 ? 0 : 1) + r * ([g[0] * g[0], g[0] * g[1], g[1] * g[1]][k] + 4 * BA[k] - 2 * e * A[k])));
  const slopes = [0, 1].map((k) => -[m1, m2][k] + r * (e * g[k] - 2 * ASg[k])); // G is the slope in Σ but for ½ Σ⁻¹
  slopes.push(1 + 2 * (G[0] * d1 + G[1] * lower) * d1, 1 + 2 * G[2] * d2 * d2, 2 * (G[1] * d1 + G[2] * lower));
  return { value, slopes };
}

/** The q that a climb of the ELBO (BFGS) from `start` = [μ₁, μ₂] reaches; `full` says whether it may slant. */
export function climbElbo(model, x, s, full, start, steps = 400) {
  const n = full ? 5 : 4, at = (p) => { const { value, slopes } = gaussianElbo(model, x, s, p); return { p, value, g: slopes.slice(0, n) }; };
  const dot = (u, v) => u.reduce((sum, a, i) => sum + a * v[i], 0), unit = () => Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => Number(i === j)));
  let now = at([start[0] + 1e-3, start[1] - 2e-3, -1, -1, 0].slice(0, n)), H = unit(); // off the lines of symmetry, where saddles are
  for (let step = 0; step < steps && Math.hypot(...now.g) > 1e-9; step++) {
    let way = H.map((row) => dot(row, now.g));
    if (dot(way, now.g) <= 0) { H = unit(); way = now.g; }
    let t = Math.min(1, 0.7 / Math.max(...way.map(Math.abs))), next;
    do { next = at(now.p.map((v, i) => v + t * way[i])); t /= 2; } while (!(next.value >= now.value + 1e-4 * 2 * t * dot(way, now.g)) && t > 1e-13);
    if (!(next.value >= now.value)) break;
    const d = next.p.map((v, i) => v - now.p[i]), y = now.g.map((v, i) => v - next.g[i]), dy = dot(d, y);
    if (dy > 1e-14) {
      const Hy = H.map((row) => dot(row, y)), c = (1 + dot(y, Hy) / dy) / dy;
      H = H.map((row, i) => row.map((v, j) => v + c * d[i] * d[j] - (Hy[i] * d[j] + d[i] * Hy[j]) / dy));
    }
    now = next;
  }
  const [m1, m2, l1, l2, lower = 0] = now.p, d1 = Math.exp(l1), d2 = Math.exp(l2);
  return { mean: [m1, m2], L: [d1, lower, d2], elbo: now.value };
}

/** The best q for a posterior N(m, Λ⁻¹), as x = b·z + s ε has it: the posterior itself, or σᵢ² = 1/Λᵢᵢ (section 2.6.1). */
export function linearBest({ b }, x, s, full) {
  const P = [1 + b[0] * b[0] / (s * s), b[0] * b[1] / (s * s), 1 + b[1] * b[1] / (s * s)], det = P[0] * P[2] - P[1] * P[1];
  const scale = x / (b[0] * b[0] + b[1] * b[1] + s * s), mean = [b[0] * scale, b[1] * scale];
  const d1 = full ? Math.sqrt(P[2] / det) : 1 / Math.sqrt(P[0]), L = [d1, full ? -P[1] / det / d1 : 0, 1 / Math.sqrt(P[2])];
  return { mean, L, elbo: gaussianElbo({ b, A: [0, 0, 0] }, x, s, [...mean, Math.log(L[0]), Math.log(L[2]), L[1]]).value };
}

/**
 * The optimum of free bits (2.69)–(2.70) for x = w z + s ε, encoder N(a x, t²) and data of variance V in each direction: what a
 * latent says is R = −log t = max(λ, ½ log V/s²), and then a² = (1 − t²)/V, w = aV. λ = 0 is the ELBO. Up to a constant.
 */
export function freeBits(variances, s2, floor) {
  const latents = variances.map((V) => {
    const kl = Math.max(floor, 0.5 * Math.log(V / s2), 0), t = Math.exp(-kl), a = Math.sqrt((1 - t * t) / V);
    return { kl, t, a, w: a * V, explained: -V * t * t / (2 * s2) };
  });
  return { latents, elbo: latents.reduce((sum, { explained, kl }) => sum + explained - kl, 0) };
}

/** Line segments [x₀, y₀, x₁, y₁] along which the density has the given level (marching squares), within ±`limit`. */
export function contourLines({ n, reach, h, density }, level, limit = reach) {
  const from = Math.max(0, Math.floor((reach - limit) / h)), found = [];
  for (let j = from; j < n - 1 - from; j++) for (let i = from; i < n - 1 - from; i++) {
    const at = j * n + i, above = (density[at] >= level) + (density[at + 1] >= level) + (density[at + n] >= level) + (density[at + n + 1] >= level);
    if (above === 0 || above === 4) continue; // most cells: nothing is made for them
    const corners = [[i, j], [i + 1, j], [i + 1, j + 1], [i, j + 1]], p = corners.map(([a, b]) => density[b * n + a] - level), cut = [];
    for (let k = 0; k < 4; k++) {
      const m = (k + 1) % 4;
      if (p[k] >= 0 === p[m] >= 0) continue;
      const part = p[k] / (p[k] - p[m]);
      cut.push([0, 1].map((axis) => (corners[k][axis] + part * (corners[m][axis] - corners[k][axis])) * h - reach));
    }
    for (let k = 0; k + 1 < cut.length; k += 2) found.push([...cut[k], ...cut[k + 1]]);
  }
  return found;
}

/** Points of the ellipse at k standard deviations of q. */
export const ellipsePoints = ({ mean, L }, k, n = 90) => Array.from({ length: n + 1 }, (_, i) => {
  const [c, d] = [Math.cos(2 * Math.PI * i / n), Math.sin(2 * Math.PI * i / n)];
  return [mean[0] + k * L[0] * c, mean[1] + k * (L[1] * c + L[2] * d)];
});
